import type { Positions } from '#common/domain/positions.js';
import type { IsFinished } from '#common/kafka/port/topics.js';
import type { Queryable } from '#common/postgres/database.js';
import { hasDeadLetterHeaders, withoutDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { encodeHeaders } from '#common/records/stored-headers.js';

/** Of the records of each partition. */
export type PositionsOf = (partition: number) => Positions;

/** A record of `deliveries` that began a life of a delivery. */
export interface FanOutRecord {
  readonly log: string;
  /** Position number in `deliveries`. */
  readonly place: number;
  readonly lane: string;
  readonly deliveryId: string;
  readonly replay: number;
  readonly tenant: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly endpointId: string;
  /** ms since the epoch. */
  readonly acceptedAt: number;
  readonly isFinished: boolean;
  /** All but the packed one and those of a dead letter. */
  readonly headers: Readonly<Record<string, Buffer>>;
  readonly body: Buffer;
}

/** @returns undefined for a return from a tier, which began no life, and for a record that is no delivery */
export function readFanOut(
  record: InRecord,
  { positionsOf, finished }: { positionsOf: PositionsOf; finished: ReadonlyMap<number, IsFinished> },
): FanOutRecord | undefined {
  const { topic, partition, offset, key, value, headers } = record;
  const meta = decodeDelivery(headers[DELIVERY_HEADER]);
  const lane = key?.toString() ?? '';
  if (meta === undefined || value === null || lane === '' || lane.includes('\0')) return undefined;
  const isReplay = hasDeadLetterHeaders(headers);
  if (meta.returned && !isReplay) return undefined;
  const { [DELIVERY_HEADER]: _packed, ...rest } = headers;
  return {
    log: `${topic}/${partition}`,
    place: positionsOf(partition).of(offset),
    lane,
    deliveryId: meta.deliveryId,
    replay: isReplay ? meta.replay + 1 : meta.replay,
    tenant: meta.tenant,
    eventId: meta.eventId,
    eventType: meta.eventType,
    endpointId: meta.endpointId,
    acceptedAt: meta.acceptedAt,
    isFinished: finished.get(partition)?.(offset) ?? false,
    headers: withoutDeadLetterHeaders(rest),
    body: value,
  };
}

/**
 * Notes records of `deliveries`. Records whose delivery has no outcome keep their body: only they may be sent again.
 *
 * @returns the number of records without an outcome
 */
export async function stageFanOut(db: Queryable, records: readonly FanOutRecord[]): Promise<number> {
  if (records.length === 0) return 0;
  const over = await outcomesOf(db, records);
  const isOpen = ({ deliveryId, replay }: FanOutRecord) => (over.get(deliveryId) ?? -1) < replay;
  const open = new Set(records.filter((record) => record.isFinished && isOpen(record)));
  await insertRows(db, records, (record) => open.has(record));
  return open.size;
}

/** Notes records without their bodies. Those that are noted already stay as they are. */
export async function stageAppended(db: Queryable, records: readonly FanOutRecord[]): Promise<void> {
  const known = await db.query<{ log: string; place: number }>(
    `SELECT log, place FROM rebuild_deliveries JOIN unnest($1::text[], $2::bigint[]) AS i (log, place) USING (log, place)`,
    [records.map(({ log }) => log), records.map(({ place }) => place)],
    'rebuild-staged',
  );
  const staged = new Set(known.map(({ log, place }) => `${log} ${place}`));
  const appended = records.filter(({ log, place }) => !staged.has(`${log} ${place}`));
  if (appended.length > 0) await insertRows(db, appended, () => false);
}

async function insertRows(
  db: Queryable,
  records: readonly FanOutRecord[],
  kept: (record: FanOutRecord) => boolean,
): Promise<void> {
  await db.query(
    `INSERT INTO rebuild_deliveries (log, place, lane, delivery_id, replay, tenant, event_id, event_type, endpoint_id,
       accepted_at, is_finished, extra_headers, body)
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::text[],
       $9::text[], $10::timestamptz[], $11::boolean[], $12::jsonb[], $13::bytea[])
     ON CONFLICT (log, place) DO UPDATE SET is_finished = excluded.is_finished,
       extra_headers = excluded.extra_headers, body = excluded.body WHERE rebuild_deliveries.sent_at IS NULL`,
    [
      records.map(({ log }) => log),
      records.map(({ place }) => place),
      records.map(({ lane }) => lane),
      records.map(({ deliveryId }) => deliveryId),
      records.map(({ replay }) => replay),
      records.map(({ tenant }) => tenant),
      records.map(({ eventId }) => eventId),
      records.map(({ eventType }) => eventType),
      records.map(({ endpointId }) => endpointId),
      records.map(({ acceptedAt }) => new Date(acceptedAt)),
      records.map(({ isFinished }) => isFinished),
      records.map((record) => (kept(record) ? JSON.stringify(encodeHeaders(record.headers)) : null)),
      records.map((record) => (kept(record) ? record.body : null)),
    ],
    'rebuild-stage',
  );
}

/** @returns by delivery: the latest life that is over */
async function outcomesOf(db: Queryable, records: readonly FanOutRecord[]): Promise<Map<string, number>> {
  const rows = await db.query<{ id: string; replay: number | null }>(
    `SELECT i.id, (SELECT max(s.replay) FROM rebuild_states s WHERE s.accepted_at = i.accepted_at AND s.id = i.id
       AND s.status IN ('delivered', 'dead')) AS replay
     FROM unnest($1::timestamptz[], $2::text[]) AS i (accepted_at, id)`,
    [records.map(({ acceptedAt }) => new Date(acceptedAt)), records.map(({ deliveryId }) => deliveryId)],
    'rebuild-outcomes',
  );
  return new Map(rows.flatMap(({ id, replay }) => (replay === null ? [] : [[id, replay] as const])));
}
