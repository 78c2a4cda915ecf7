import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '#common/postgres/database.js';

/** Dispatchers look at their parked lanes every 5 s; the first refused statement makes them take the log over again. */
const TAKE_OVER_TIMEOUT_MS = 20_000;
const LOOK_AGAIN_MS = 200;

/** The owners' next statement is refused, and they take their logs over again: with these rows. */
export async function raiseEpochs(tx: Queryable, logs: readonly string[]): Promise<void> {
  await tx.query(
    `INSERT INTO lane_logs (log, epoch, raised_at) SELECT log, 1, now() FROM unnest($1::text[]) AS l (log) ORDER BY log
     ON CONFLICT (log) DO UPDATE SET epoch = lane_logs.epoch + 1, raised_at = now()`,
    [logs],
  );
}

/** Waits until every owner knows the rows. Where no dispatcher runs, the next one reads them when it takes the log over. */
export async function untilTakenOver(db: Queryable, logs: readonly string[]): Promise<void> {
  if (logs.length === 0) return;
  const before = await epochsOf(db, logs);
  for (const deadline = performance.now() + TAKE_OVER_TIMEOUT_MS; performance.now() < deadline; ) {
    const now = await epochsOf(db, logs);
    if (logs.every((log) => (now.get(log) ?? 0) > (before.get(log) ?? 0))) return;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function epochsOf(db: Queryable, logs: readonly string[]): Promise<Map<string, number>> {
  const rows = await db.query<{ log: string; epoch: number }>(
    'SELECT log, epoch FROM lane_logs WHERE log = ANY ($1::text[])',
    [logs],
  );
  return new Map(rows.map(({ log, epoch }) => [log, epoch]));
}
