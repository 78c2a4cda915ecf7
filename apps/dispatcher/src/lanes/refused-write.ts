import type { LaneTransaction } from '#common/domain/lane-machine.js';
import { messageOf } from '#common/postgres/errors.js';
import type { LaneWrite } from '#common/postgres/lane-store.js';
import { SetAside } from '#common/postgres/persist-batch.js';
import type { GivenUp } from '../attempts/turns.js';
import type { Delivery } from '../deliveries/delivery.js';
import type { LaneCollaborators } from './lane-collaborators.js';
import type { LaneJournal } from './lane-journal.js';

type Turns = Pick<LaneCollaborators['turns'], 'giveUp'>;

export interface RefusedWrite {
  readonly transaction: LaneTransaction<Delivery>;
  /** The transaction as PostgreSQL rejected it. */
  readonly write: LaneWrite;
  readonly error: unknown;
  /** The transaction names the delivery whose turn it is as the head (docs/lane-protocol.md, rule 3). */
  readonly isNaming: boolean;
}

/**
 * Settles a lane's write that PostgreSQL rejects. Deliveries that cannot be parked become dead letters before the rest of the
 * write is stored. A head that cannot be named even without its delivery id is given up by the lane machine.
 *
 * @returns the event that the lane machine takes next
 * @throws when Kafka does not store a dead letter, or PostgreSQL not the rest; the records stay unfinished then
 */
export async function settleRefused(
  { transaction, write, error, isNaming }: RefusedWrite,
  journal: LaneJournal,
  turns: Turns,
): Promise<'transacted' | 'refused'> {
  const { isRowRefused, park: refused } = await journal.refusedParts(write);
  const row = isRowRefused ? await namelessRow(write, journal) : write.row;
  if (write.row !== undefined && row === undefined && isNaming) return 'refused';
  const items = (transaction.park ?? []).filter((_, index) => {
    const record = write.park?.[index];
    return record !== undefined && refused.has(record);
  });
  const why = unstorable(messageOf(error));
  await Promise.all(items.map(({ work }) => turns.giveUp(work, why)));
  await writeRest({ ...write, park: (write.park ?? []).filter((record) => !refused.has(record)) }, row, journal);
  return 'transacted';
}

/** Why a delivery is given up that the database cannot store. */
export function unstorable(detail: string): GivenUp {
  return { reason: 'unrecoverable', detail: `the database cannot store the delivery: ${detail}` };
}

/** The delivery id of a row only informs people: a row without it keeps the lane in order all the same. */
async function namelessRow({ lane, endpointId, row }: LaneWrite, journal: LaneJournal): Promise<LaneWrite['row']> {
  if (row === undefined) return undefined;
  const nameless = { ...row, deliveryId: '' };
  const { isRowRefused } = await journal.refusedParts({ lane, endpointId, row: nameless });
  return isRowRefused ? undefined : nameless;
}

/**
 * Stores the rest of a write. Without a row, a crash before the delivery in flight is over may let its followers go first. If
 * PostgreSQL cannot store the lane's name, there are no rows to change.
 */
async function writeRest(
  { row: _refused, ...rest }: LaneWrite,
  row: LaneWrite['row'],
  journal: LaneJournal,
): Promise<void> {
  const { park = [], removeUpTo, remove } = rest;
  if (row === undefined && park.length === 0 && removeUpTo === undefined && remove === undefined) return;
  const written = await journal.write(row === undefined ? rest : { ...rest, row });
  const isRemovalAlone = row === undefined && park.length === 0;
  if (written instanceof SetAside && !isRemovalAlone) throw new Error('refused again', { cause: written.error });
}
