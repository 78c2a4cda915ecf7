import { MAX_GENERATION } from '../domain/position.js';
import type { ArchivedEvent } from './archived-event.js';
import type { Queryable } from './database.js';
import type { Receiver } from './delivery-parts.js';
import { archivedColumns } from './event-columns.js';
import type { LaneCursor } from './lane-rehoming.js';

/** Position of an event in the order of acceptance: accepted_at in ms, source partition, source position, tenant, id. */
export type EventCursor = readonly [number, number, number, string, string];

/** How far the carrying over is. Each page is committed with it. */
export interface CarryState {
  readonly stage: 'rehome' | 'heads' | 'events' | 'older';
  /** Topics whose log is new. */
  readonly topics: readonly string[];
  /** No event that was accepted later is looked at; ms since the epoch. */
  readonly untilMs: number;
  /** Events that were archived later are in the new log, or will be; ms since the epoch. */
  readonly archivedBeforeMs: number;
  /** By topic: records written later are in the new log; ms since the epoch. */
  readonly since: Readonly<Record<string, number>>;
  /** Of `deliveries`. */
  readonly partitions: number;
  /** Retention had removed older events from `deliveries`. Of those, only known waiting deliveries are carried over, last. */
  readonly olderThanMs: number;
  readonly lane: LaneCursor;
  readonly event: EventCursor;
  /** Of the next delivery that is parked from the archive. */
  readonly ordinal: number;
  readonly counts: CarryCounts;
}

export interface CarryCounts {
  readonly moved: number;
  readonly heads: number;
  readonly parked: number;
  readonly waiting: number;
  /** Heads whose event is not archived any more: their lanes go on without them. */
  readonly lost: number;
}

/** A new log whose predecessor's deliveries are to be carried over. */
export interface CarryWork {
  readonly topic: string;
  readonly generation: number;
  readonly partitions: number;
  readonly firstSeenAt: Date;
  readonly isCarried: boolean;
  readonly state: CarryState | null;
}

interface WorkRow {
  readonly topic: string;
  readonly generation: number;
  readonly partitions: number;
  readonly first_seen_at: Date;
  readonly carried_at: Date | null;
  readonly carry: CarryState | null;
}

/** Logs with something left to carry over: the latest of each topic. @param topics the first is the most important */
export async function carryWork(db: Queryable, topics: readonly string[]): Promise<CarryWork[]> {
  const rows = await db.query<WorkRow>(
    `SELECT * FROM (
       SELECT DISTINCT ON (topic) topic, generation, partitions, first_seen_at, carried_at, carry FROM log_generations
       WHERE topic = ANY($1) AND generation <= ${MAX_GENERATION} ORDER BY topic, generation DESC) AS latest
     WHERE carried_at IS NULL OR carry IS NOT NULL ORDER BY array_position($1::text[], topic)`,
    [topics],
  );
  return rows.map(({ topic, generation, partitions, first_seen_at, carried_at, carry }) => {
    return { topic, generation, partitions, firstSeenAt: first_seen_at, isCarried: carried_at !== null, state: carry };
  });
}

/** Locks the state until the transaction ends. @returns undefined when another process works on it, or has finished it */
export async function lockCarry(
  tx: Queryable,
  { topic, generation }: CarryWork,
): Promise<{ state: CarryState | null } | undefined> {
  const [row] = await tx.query<{ carry: CarryState | null }>(
    `SELECT carry FROM log_generations
     WHERE topic = $1 AND generation = $2 AND (carried_at IS NULL OR carry IS NOT NULL) FOR UPDATE SKIP LOCKED`,
    [topic, generation],
  );
  return row && { state: row.carry };
}

export async function storeCarry(
  tx: Queryable,
  { topic, generation }: CarryWork,
  state: CarryState | null,
): Promise<void> {
  await tx.query('UPDATE log_generations SET carry = $3::jsonb WHERE topic = $1 AND generation = $2', [
    topic,
    generation,
    state === null ? null : JSON.stringify(state),
  ]);
}

/**
 * Whether each event that was archived before `archivedBeforeMs` can be read now. A page that is read earlier may miss an event
 * of a lane while a later page finds the lane's next event, which would then be parked first.
 */
export async function areEventsSettled(tx: Queryable, { archivedBeforeMs }: CarryState): Promise<boolean> {
  const [row] = await tx.query<{ settled: boolean }>('SELECT now() > $1 AS settled', [new Date(archivedBeforeMs)]);
  return row?.settled ?? false;
}

/** Owners of the new logs may begin. */
export async function markCarried(tx: Queryable, topics: readonly string[]): Promise<void> {
  await tx.query('UPDATE log_generations SET carried_at = now() WHERE topic = ANY($1) AND carried_at IS NULL', [
    topics,
  ]);
}

/** Owners of the lost log write nothing any more: those who took a partition before the new log was seen are fenced. */
export async function fenceOwnersBefore(tx: Queryable, topic: string, firstSeenAt: Date): Promise<void> {
  await tx.query(
    `UPDATE lane_logs SET epoch = epoch + 1, raised_at = now() WHERE log LIKE $1 || '/%' AND raised_at < $2`,
    [topic, firstSeenAt],
  );
}

/** A lane's head, with further columns of its delivery. */
export interface CarriedHead {
  readonly log: string;
  readonly lane: string;
  readonly endpoint_id: string;
  readonly place: number;
  readonly attempt: number;
  /** Null when its attempt was under way: its record lay in the log. */
  readonly due_at: Date | null;
  readonly delivery_id: string;
  readonly named_at: Date;
  /** The head itself is parked. */
  readonly is_parked: boolean;
  /** Null when no outcome of the delivery is known. */
  readonly status: string | null;
  readonly replay: number | null;
  readonly changed_at: Date | null;
  /** Null when the event is not archived, or no outcome names the event. */
  readonly event: ArchivedEvent | null;
}

type HeadRow = Omit<CarriedHead, 'event'> & { readonly [Column in keyof ArchivedEvent]: ArchivedEvent[Column] | null };

/** Heads of all logs of a topic, in pages. */
export async function carriedHeads(
  db: Queryable,
  topic: string,
  after: LaneCursor,
  limit: number,
): Promise<CarriedHead[]> {
  const rows = await db.query<HeadRow>(
    `SELECT r.log, r.lane, r.endpoint_id, r.place, r.attempt, r.due_at, r.delivery_id, r.updated_at AS named_at,
       EXISTS (SELECT FROM parked_deliveries p WHERE p.log = r.log AND p.lane = r.lane AND p.place = r.place) AS is_parked,
       d.status, d.replay, d.updated_at AS changed_at, ${archivedColumns('e')}
     FROM (SELECT * FROM lane_rows WHERE (log, lane) > ($1, $2) AND log LIKE $3 || '/%' AND attempt IS NOT NULL
           ORDER BY log, lane LIMIT $4) AS r
     LEFT JOIN LATERAL (SELECT * FROM deliveries d WHERE d.id = r.delivery_id ORDER BY accepted_at DESC LIMIT 1) AS d ON true
     LEFT JOIN events e ON e.accepted_at = d.accepted_at AND e.tenant = d.tenant AND e.id = d.event_id
     ORDER BY r.log, r.lane`,
    [after.log, after.lane, topic, limit],
  );
  return rows.map((row) => ({
    ...row,
    event: row.id === null ? null : (row as HeadRow & ArchivedEvent),
  }));
}

/** The head is over: its outcome is stored, or nothing is left of it to send. */
export async function endHeads(tx: Queryable, heads: readonly CarriedHead[]): Promise<void> {
  if (heads.length === 0) return;
  await tx.query(
    `UPDATE lane_rows r SET attempt = NULL, due_at = NULL, updated_at = now()
     FROM unnest($1::text[], $2::text[], $3::bigint[]) AS h (log, lane, place)
     WHERE r.log = h.log AND r.lane = h.lane AND r.place = h.place`,
    [heads.map(({ log }) => log), heads.map(({ lane }) => lane), heads.map(({ place }) => place)],
  );
}

/** A delivery to one endpoint that is not over, as the archive has it. */
export interface UndeliveredEvent extends ArchivedEvent {
  readonly source_partition: number | null;
  /** Null in rows of releases that did not note it. */
  readonly archived_at: Date | null;
  readonly endpoint_id: string;
  readonly delivery_id: string;
  /** Null when no outcome is known. */
  readonly status: 'retrying' | 'pending' | null;
  readonly lane: string | null;
  readonly replay: number | null;
  readonly attempts: number | null;
  readonly next_attempt_at: Date | null;
  readonly changed_at: Date | null;
}

/**
 * A page of archived events in the order of acceptance, and which of their deliveries are not over and not parked.
 *
 * @returns `next` undefined when no event is left
 */
export async function undeliveredEvents(
  db: Queryable,
  after: EventCursor,
  { untilMs, archivedBeforeMs }: Pick<CarryState, 'untilMs' | 'archivedBeforeMs'>,
  limit: number,
): Promise<{ found: UndeliveredEvent[]; next: EventCursor | undefined }> {
  const [atMs, partition, position, tenant, id] = after;
  const bounds = [new Date(atMs), partition, position, tenant, id, new Date(untilMs), limit];
  const [end] = await db.query<
    Pick<UndeliveredEvent, 'accepted_at' | 'tenant' | 'id'> & { partition: number; position: number; events: number }
  >(
    `WITH page AS (${EVENT_PAGE})
     SELECT accepted_at, partition, position, tenant, id, (SELECT count(*) FROM page) AS events FROM page
     ORDER BY accepted_at DESC, partition DESC, position DESC, tenant DESC, id DESC LIMIT 1`,
    bounds,
  );
  if (end === undefined) return { found: [], next: undefined };
  const found = await db.query<UndeliveredEvent>(
    `WITH page AS MATERIALIZED (${EVENT_PAGE})
     SELECT page.*, x.endpoint_id, k.id AS delivery_id, d.status, d.lane, d.replay, d.attempts, d.next_attempt_at,
       d.updated_at AS changed_at
     FROM page CROSS JOIN LATERAL unnest(page.endpoint_ids) WITH ORDINALITY AS x(endpoint_id, nth)
     CROSS JOIN LATERAL (SELECT delivery_id(page.tenant, page.id, x.endpoint_id) AS id) k
     LEFT JOIN deliveries d ON d.accepted_at = page.accepted_at AND d.id = k.id
     WHERE (d.status IN ('retrying', 'pending')
         OR (d.status IS NULL AND (page.archived_at IS NULL OR page.archived_at < $8)))
       AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.delivery_id = k.id)
     ORDER BY page.accepted_at, page.partition, page.position, page.tenant, page.id, x.nth`,
    [...bounds, new Date(archivedBeforeMs)],
  );
  const last: EventCursor = [end.accepted_at.getTime(), end.partition, end.position, end.tenant, end.id];
  return { found, next: end.events < limit ? undefined : last };
}

/** Events that never were in `ingest` have no source. */
const EVENT_PAGE = `SELECT *, coalesce(source_partition, -1) AS partition, coalesce(source_offset, -1) AS position
  FROM events WHERE accepted_at >= $1 AND accepted_at < $6
    AND (accepted_at, coalesce(source_partition, -1), coalesce(source_offset, -1), tenant, id) > ($1, $2, $3, $4, $5)
  ORDER BY accepted_at, coalesce(source_partition, -1), coalesce(source_offset, -1), tenant, id LIMIT $7`;

/** Heads of these lanes. @returns by `log lane` */
export async function headsOf(
  db: Queryable,
  lanes: readonly LaneCursor[],
): Promise<Map<string, Pick<CarriedHead, 'place' | 'attempt' | 'due_at' | 'delivery_id' | 'named_at'>>> {
  const rows = await db.query<CarriedHead>(
    `SELECT r.log, r.lane, r.place, r.attempt, r.due_at, r.delivery_id, r.updated_at AS named_at
     FROM unnest($1::text[], $2::text[]) AS l (log, lane) JOIN lane_rows r ON r.log = l.log AND r.lane = l.lane
     WHERE r.attempt IS NOT NULL`,
    [lanes.map(({ log }) => log), lanes.map(({ lane }) => lane)],
  );
  return new Map(rows.map((row) => [`${row.log} ${row.lane}`, row]));
}

/** A delivery on its way into `parked_deliveries`, as if its owner had parked it. */
export interface CarriedRow {
  readonly log: string;
  readonly lane: string;
  readonly place: number;
  readonly endpointId: string;
  readonly deliveryId: string;
  readonly attempt: number;
  readonly header: string;
  readonly body: Buffer;
}

export async function parkCarried(tx: Queryable, rows: readonly CarriedRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO parked_deliveries (log, lane, place, endpoint_id, delivery_id, attempt, header, body, reason, parked_at)
     SELECT i.*, 'carried', now()
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::int[], $7::text[], $8::bytea[])
       AS i (log, lane, place, endpoint_id, delivery_id, attempt, header, body)
     ON CONFLICT (log, lane, place) DO NOTHING`,
    [
      rows.map(({ log }) => log),
      rows.map(({ lane }) => lane),
      rows.map(({ place }) => place),
      rows.map(({ endpointId }) => endpointId),
      rows.map(({ deliveryId }) => deliveryId),
      rows.map(({ attempt }) => attempt),
      rows.map(({ header }) => header),
      rows.map(({ body }) => body),
    ],
  );
}

/** @returns by id, those of these endpoints that exist */
export async function receiversOf(db: Queryable, ids: readonly string[]): Promise<Map<string, Receiver>> {
  const rows = await db.query<Receiver>('SELECT id, ordering, payload FROM endpoints WHERE id = ANY($1)', [
    [...new Set(ids)],
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}
