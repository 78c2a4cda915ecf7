import { type OpenDelivery, openDeliveries } from './candidates.js';
import { type Fate, fateOf } from './fate.js';
import { nameHeads } from './heads.js';
import { untilTakenOver } from './lane-owners.js';
import { markSent, type Resend, resend } from './resend.js';
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

async function sendAll(session: RebuildSession): Promise<Omit<UnfinishedSummary, 'heads'>> {
  let sent = 0;
  for await (const page of openDeliveries(session, PAGE)) {
    const list = page.flatMap((delivery) => resendOf(delivery, fateOf(delivery, Date.now()), session.isDryRun));
    if (list.length === 0) continue;
    await session.transaction((tx) => (session.isDryRun ? markSent(tx, list) : resend(tx, list)));
    sent += list.length;
  }
  return { sent, overtaken: await overtakenLanes(session) };
}

async function overtakenLanes(session: RebuildSession): Promise<string[]> {
  const rows = await session.query<{ lane: string }>(
    `SELECT c.lane FROM (SELECT log, lane, min(place) AS place FROM rebuild_deliveries WHERE sent_at >= $1
       GROUP BY log, lane) c
     WHERE EXISTS (SELECT FROM rebuild_deliveries f
       JOIN rebuild_states s ON s.accepted_at = f.accepted_at AND s.id = f.delivery_id
       WHERE f.log = c.log AND f.lane = c.lane AND f.place > c.place AND f.sent_at IS NULL AND s.status = 'delivered')
     ORDER BY 1 LIMIT $2`,
    [session.startedAt, MAX_LISTED],
  );
  return rows.map(({ lane }) => lane);
}

/** A head that could not be named, because its lane already waits for a later one, begins its next life. */
function resendOf(delivery: OpenDelivery, fate: Fate, isDryRun: boolean): Resend[] {
  if (fate === 'send') return [{ delivery, isNextLife: false }];
  if (fate === 'next-life' || (fate === 'head' && !isDryRun)) return [{ delivery, isNextLife: true }];
  return [];
}
