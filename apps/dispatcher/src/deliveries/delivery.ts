import type { Bagged } from '#common/collections/bag.js';
import { offsetOf } from '#common/domain/position.js';
import type { Positions } from '#common/domain/positions.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import {
  DEAD_HEADERS,
  hasDeadLetterHeaders,
  readDeadLetter,
  withoutDeadLetterHeaders,
} from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, type DeliveryMeta } from '#common/records/delivery-record.js';
import { receiveDelivery } from '#common/records/received-delivery.js';
import type { InRecord } from '#common/records/record.js';

/** A delivery that was read and is not over: its record, parsed. */
export interface Delivery extends Bagged {
  readonly log: FencedLog;
  readonly offset: number;
  /** The record's key. */
  readonly lane: string;
  readonly meta: DeliveryMeta;
  /** The exact bytes to POST. */
  readonly body: Buffer;
  /** All headers of the record but the packed one and those of a dead letter. */
  readonly headers: Readonly<Record<string, Buffer>>;
  /** A replay starts again, whatever its packed header says. */
  readonly isReplay: boolean;
  /** When it was parked, ms since the epoch, if it comes from a parked row; `offset` is then that of its place. */
  readonly parkedAt: number | undefined;
  /** For a parked row without a delivery: the row as a record, and the reason. Its `meta` has only columns of the row. */
  readonly unreadable?: UnreadableRow;
}

export interface UnreadableRow {
  readonly record: InRecord;
  readonly detail: string;
}

/** The data that a record is checked against. */
export interface ReadingContext {
  /** Of the log's records. */
  readonly positions: Positions;
  /** Largest record batch the topics take. */
  readonly maxBatchBytes: number;
  /** Says why a record with dead-letter headers is refused; undefined when it is a replay. */
  readonly replayProblem: (record: InRecord) => string | undefined;
}

/** A record that is no delivery, and why. */
export interface NoDelivery {
  readonly detail: string;
}

/**
 * Reads a record of `deliveries`. A record with dead-letter headers is a replay: its attempts start again and those
 * headers are dropped. Its place, like that of the router's records, is its own position (docs/lane-protocol.md#terms).
 */
export function readDelivery(
  log: FencedLog,
  record: InRecord,
  { positions, maxBatchBytes, replayProblem }: ReadingContext,
): Delivery | NoDelivery {
  const { headers, offset } = record;
  const received = receiveDelivery(record, maxBatchBytes);
  if (typeof received === 'string') return { detail: received };
  const { lane, meta: packed, value } = received;
  const isReplay = hasDeadLetterHeaders(headers);
  const refusal = isReplay ? refusalOf(record, replayProblem) : undefined;
  if (refusal !== undefined) return { detail: refusal };
  const position = positions.of(offset);
  if (!isReplay && isAhead(packed, position)) {
    return { detail: `its place ${packed.place} is not below its own position ${position}` };
  }
  const meta = isReplay ? replayed(packed, position) : packed.returned ? packed : { ...packed, place: position };
  return {
    log,
    offset,
    lane,
    meta,
    // A copy: the value is a slice of a whole fetch, which would stay in memory as long as one of its records.
    body: copyOf(value),
    headers: otherHeaders(headers),
    isReplay,
    parkedAt: undefined,
    bagIndex: 0,
  };
}

/**
 * A return comes after the record its life began with. A place above its own would make its lane's row call later
 * deliveries over (docs/lane-protocol.md, rule 2).
 */
function isAhead({ returned, place }: DeliveryMeta, position: number): boolean {
  return returned && place !== undefined && place >= position;
}

function refusalOf(record: InRecord, replayProblem: (record: InRecord) => string | undefined): string | undefined {
  if (readDeadLetter(record.headers) === undefined) return `${DEAD_HEADERS.reason} is not a known reason`;
  return replayProblem(record);
}

/** A row of PostgreSQL with a delivery: a parked row, or an operator's command. */
export interface DeliveryRow {
  readonly lane: string;
  readonly place: number;
  readonly body: Buffer;
  /** ms since the epoch */
  readonly parkedAt: number;
}

/** The delivery of a row. `readDelivery` and this function are the only ones that make a delivery. */
export function storedDelivery(
  log: FencedLog,
  { lane, place, body, parkedAt }: DeliveryRow,
  meta: DeliveryMeta,
  headers: Delivery['headers'],
): Delivery {
  return { log, offset: offsetOf(place), lane, meta, body, headers, isReplay: false, parkedAt, bagIndex: 0 };
}

const NO_HEADERS: Readonly<Record<string, Buffer>> = {};

/** Most deliveries have only the packed header, which every delivery has. */
function otherHeaders(headers: Readonly<Record<string, Buffer>>): Readonly<Record<string, Buffer>> {
  if (Object.keys(headers).length === 1) return NO_HEADERS;
  const { [DELIVERY_HEADER]: _packed, ...rest } = headers;
  return withoutDeadLetterHeaders(rest);
}

function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function replayed(meta: DeliveryMeta, place: number): DeliveryMeta {
  return {
    ...meta,
    attempt: 0,
    replay: meta.replay + 1,
    returned: false,
    place,
    dueAt: undefined,
    tierUntil: undefined,
  };
}
