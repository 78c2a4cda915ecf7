import { ByteReader, readInt64 } from './byte-reader.js';

/** Before the length counts: the base offset and the length itself. */
const LOG_OVERHEAD_BYTES = 12;
const MAGIC_AT = 16;
const HEADER_BYTES = 61;
/** The shortest entry there is: a message of format 0 without key and value. */
const MIN_LENGTH = 14;
const MAGIC = 2;

const CODEC_MASK = 0x07;
const APPEND_TIME_FLAG = 0x08;
const TRANSACTIONAL_FLAG = 0x10;
const CONTROL_FLAG = 0x20;
/** The type of a control record that ends an aborted transaction. */
const ABORT = 0;

/** The header of one record batch, and where the batch lies in its record set. */
export interface BatchHeader {
  readonly start: number;
  readonly end: number;
  readonly baseOffset: number;
  /** Compaction keeps it, even when it takes the last records, or all. */
  readonly lastOffset: number;
  readonly leaderEpoch: number | undefined;
  readonly codec: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  /** ms since the epoch; records count from it. */
  readonly baseTimestamp: number;
  /** The time of all records, where the broker gives them their time; else undefined. */
  readonly appendTimestamp: number | undefined;
  readonly recordCount: number;
  /** False for formats 0 and 1, of which only the offset is read. */
  readonly isReadable: boolean;
}

/**
 * @param start of the batch in `bytes`
 * @returns undefined when less than the whole batch is there: a broker cuts the last one where its limit is
 * @throws Error when no batch can begin there
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export function readBatchHeader(bytes: Buffer, start: number): BatchHeader | undefined {
  if (start + LOG_OVERHEAD_BYTES > bytes.length) return undefined;
  const length = bytes.readInt32BE(start + 8);
  if (length < MIN_LENGTH) throw new Error(`a record set has a batch of ${length} bytes`);
  const end = start + LOG_OVERHEAD_BYTES + length;
  if (end > bytes.length) return undefined;
  const baseOffset = readInt64(bytes, start);
  const isReadable = bytes[start + MAGIC_AT] === MAGIC && end - start >= HEADER_BYTES;
  return isReadable ? readHeader(bytes, { start, end, baseOffset }) : olderHeader({ start, end, baseOffset });
}

type Place = Pick<BatchHeader, 'start' | 'end' | 'baseOffset'>;

function readHeader(bytes: Buffer, place: Place): BatchHeader {
  const { start, baseOffset } = place;
  const attributes = bytes.readInt16BE(start + 21);
  return {
    ...place,
    lastOffset: baseOffset + bytes.readInt32BE(start + 23),
    leaderEpoch: bytes.readInt32BE(start + 12),
    codec: attributes & CODEC_MASK,
    isTransactional: (attributes & TRANSACTIONAL_FLAG) !== 0,
    isControl: (attributes & CONTROL_FLAG) !== 0,
    baseTimestamp: readInt64(bytes, start + 27),
    appendTimestamp: (attributes & APPEND_TIME_FLAG) === 0 ? undefined : readInt64(bytes, start + 35),
    recordCount: bytes.readInt32BE(start + 57),
    isReadable: true,
  };
}

/** A message of format 0 or 1, whose offset is its own, or that of the last message compressed in it. */
function olderHeader(place: Place): BatchHeader {
  return {
    ...place,
    lastOffset: place.baseOffset,
    leaderEpoch: undefined,
    codec: 0,
    isTransactional: false,
    isControl: false,
    baseTimestamp: -1,
    appendTimestamp: undefined,
    recordCount: 0,
    isReadable: false,
  };
}

/** As in a list of aborted transactions. Only compared, so that 64 bits need not be exact as a number. */
export function producerIdOf(bytes: Buffer, { start }: BatchHeader): bigint {
  return bytes.readBigInt64BE(start + 43);
}

/** The records of an uncompressed batch, or what is to be inflated. */
export function recordBytes(bytes: Buffer, { start, end }: BatchHeader): Buffer {
  return bytes.subarray(start + HEADER_BYTES, end);
}

/** Whether a control batch says that its producer's transaction was aborted. */
export function isAbortMarker(bytes: Buffer, batch: BatchHeader): boolean {
  if (!batch.isControl) return false;
  const reader = new ByteReader(recordBytes(bytes, batch));
  // Length, attributes, and the differences of time and offset.
  reader.varint();
  reader.skip(1);
  reader.varint();
  reader.varint();
  const key = reader.field();
  return key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT;
}
