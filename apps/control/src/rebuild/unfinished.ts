import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '#common/postgres/database.js';
import { type OpenDelivery, openDeliveries } from './candidates.js';
import { type Fate, fateOf } from './fate.js';
import { nameHeads } from './heads.js';
import { type Resend, resend } from './resend.js';
import type { RebuildSession } from './session.js';

export interface UnfinishedSummary {
  /** Deliveries that come back from their tiers, and whose lanes wait for them again. */
  readonly heads: number;
  /** Deliveries that were sent again. */
  readonly sent: number;
  /** Lanes in which a later delivery was delivered before one that was sent again; at most 1000. */
  readonly overtaken: readonly string[];
}

const PAGE = 200;
const MAX_LISTED = 1_000;
/** Dispatchers look at their parked lanes every 5 s; the first refused statement makes them take the log over again. */
const TAKE_OVER_TIMEOUT_MS = 20_000;
const LOOK_AGAIN_MS = 200;

/**
 * Brings every open delivery on its way again, in log order: first the heads, so that nothing overtakes them, then the
 * others.
 */
export async function sendUnfinished(session: RebuildSession): Promise<UnfinishedSummary> {
  const heads = await nameAllHeads(session);
  const resends = await sendAll(session);
  return { heads, ...resends };
}

async function nameAllHeads(session: RebuildSession): Promise<number> {
  let count = 0;
  const logs = new Set<string>();
  for await (const page of openDeliveries(session, PAGE)) {
    const heads = page.filter((delivery) => fateOf(delivery, Date.now()) === 'head');
    if (session.isDryRun) count += heads.length;
    else {
      const named = await session.transaction((tx) => nameHeads(tx, heads));
      count += named.size;
      for (const { log } of named) logs.add(log);
    }
  }
  await untilTakenOver(session, [...logs]);
  return count;
}

/** Waits until every owner knows the rows. Where no dispatcher runs, the next one reads them when it takes the log over. */
async function untilTakenOver(db: Queryable, logs: readonly string[]): Promise<void> {
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

async function sendAll(session: RebuildSession): Promise<Omit<UnfinishedSummary, 'heads'>> {
  let sent = 0;
  const overtaken = new Set<string>();
  for await (const page of openDeliveries(session, PAGE)) {
    const list = page.flatMap((delivery) => resendOf(delivery, fateOf(delivery, Date.now()), session.isDryRun));
    if (list.length === 0) continue;
    if (!session.isDryRun) await session.transaction((tx) => resend(tx, list));
    sent += list.length;
    for (const { delivery } of list) {
      if (delivery.isOvertaken && overtaken.size < MAX_LISTED) overtaken.add(delivery.lane);
    }
  }
  return { sent, overtaken: [...overtaken] };
}

/** A head that could not be named, because its lane already waits for a later one, begins its next life. */
function resendOf(delivery: OpenDelivery, fate: Fate, isDryRun: boolean): Resend[] {
  if (fate === 'send') return [{ delivery, isNextLife: false }];
  if (fate === 'next-life' || (fate === 'head' && !isDryRun)) return [{ delivery, isNextLife: true }];
  return [];
}
