import { type OpenDelivery, openDeliveries } from './candidates.js';
import { type Fate, fateOf } from './fate.js';
import { nameHeads } from './heads.js';
import { untilTakenOver } from './lane-owners.js';
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
