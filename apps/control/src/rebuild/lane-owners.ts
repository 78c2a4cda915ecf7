import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '#common/postgres/database.js';

/** Owners compare the epochs of their logs every 5 s, and take a log over again within a few more. */
const TAKE_OVER_TIMEOUT_MS = 20_000;
const LOOK_AGAIN_MS = 200;

/** The dispatchers that own the lanes. A rebuild changes their rows, and raises the epochs of their logs. */
export class LaneOwners {
  /** By log: the highest epoch that was raised here. An owner that knows the rows has a higher one. */
  private readonly raised = new Map<string, number>();

  /** @param isAnyThere whether the group of the dispatchers has members */
  constructor(private readonly isAnyThere: boolean) {}

  /** The owners' next statement is refused, and they take their logs over again: with the rows of this transaction. */
  async fence(tx: Queryable, logs: readonly string[]): Promise<void> {
    const rows = await tx.query<{ log: string; epoch: number }>(
      `INSERT INTO lane_logs (log, epoch, raised_at) SELECT log, 1, now() FROM unnest($1::text[]) AS l (log) ORDER BY log
       ON CONFLICT (log) DO UPDATE SET epoch = lane_logs.epoch + 1, raised_at = now() RETURNING log, epoch`,
      [logs],
    );
    for (const { log, epoch } of rows) this.raised.set(log, epoch);
  }

  /** Waits until every owner knows the rows. Where no dispatcher runs, the next one reads them when it takes the log over. */
  async untilTakenOver(db: Queryable): Promise<void> {
    const logs = [...this.raised.keys()];
    if (!this.isAnyThere || logs.length === 0) return;
    for (const deadline = performance.now() + TAKE_OVER_TIMEOUT_MS; performance.now() < deadline; ) {
      const rows = await db.query<{ log: string; epoch: number }>(
        'SELECT log, epoch FROM lane_logs WHERE log = ANY ($1::text[])',
        [logs],
      );
      const now = new Map(rows.map(({ log, epoch }) => [log, epoch]));
      if (logs.every((log) => (now.get(log) ?? 0) > (this.raised.get(log) ?? 0))) return;
      await sleep(LOOK_AGAIN_MS);
    }
  }
}
