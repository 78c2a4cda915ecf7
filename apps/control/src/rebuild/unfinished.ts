import { type OpenDelivery, openDeliveries } from './candidates.js';
import { type Fate, fateOf } from './fate.js';
import { nameHeads } from './heads.js';
import type { LaneOwners } from './lane-owners.js';
import { markSent, type Resend, resend } from './resend.js';
import type { RebuildSession } from './session.js';

export interface Unfinished {
  /** Deliveries that come back from their tiers, and whose lanes wait for them again. */
  readonly heads: number;
  /** Deliveries that were sent again. */
  readonly sent: number;
}

const PAGE = 200;

/**
 * Brings every open delivery on its way again, in log order: first the heads, so that nothing overtakes them, then the
 * others.
 */
export async function sendUnfinished(session: RebuildSession, owners: LaneOwners): Promise<Unfinished> {
  const heads = await nameAllHeads(session, owners);
  return { heads, sent: await sendAll(session) };
}

async function nameAllHeads(session: RebuildSession, owners: LaneOwners): Promise<number> {
  let count = 0;
  for await (const page of openDeliveries(session, PAGE)) {
    const heads = page.filter((delivery) => fateOf(delivery, Date.now()) === 'head');
    if (session.isDryRun) count += heads.length;
    else {
      count += await session.transaction((tx) => nameHeads(tx, heads, owners));
    }
  }
  await owners.untilTakenOver(session);
  return count;
}

async function sendAll(session: RebuildSession): Promise<number> {
  let sent = 0;
  for await (const page of openDeliveries(session, PAGE)) {
    const list = page.flatMap((delivery) => resendOf(delivery, fateOf(delivery, Date.now()), session.isDryRun));
    if (list.length === 0) continue;
    await session.transaction((tx) => (session.isDryRun ? markSent(tx, list) : resend(tx, list)));
    sent += list.length;
  }
  return sent;
}

/** A head that could not be named, because its lane already waits for a later one, begins its next life. */
function resendOf(delivery: OpenDelivery, fate: Fate, isDryRun: boolean): Resend[] {
  if (fate === 'send') return [{ delivery, isNextLife: false }];
  if (fate === 'next-life' || (fate === 'head' && !isDryRun)) return [{ delivery, isNextLife: true }];
  return [];
}
