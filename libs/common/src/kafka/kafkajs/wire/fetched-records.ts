import { setImmediate } from 'node:timers/promises';
import { named } from '../../../collections/named.js';
import { MAX_TIME_MS } from '../../../records/limits.js';
import type { InRecord } from '../../../records/record.js';
import type { FetchedLog } from '../../partition/fetched-log.js';
import { ByteReader, MalformedBytesError } from './byte-reader.js';
import { inflate, isCompressed, MAX_INFLATED_BYTES } from './codecs.js';
import { type BatchHeader, isAbortMarker, producerIdOf, readBatchHeader, recordBytes } from './record-batch.js';
import { readHeaders } from './record-headers.js';

/** A transaction that overlaps what was fetched and was aborted. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** Where a log begins and ends, by a fetch of it. */
export interface FetchedBounds {
  readonly highWatermark: number;
  /** The first offset of the oldest open transaction, else the high watermark: nothing from here on is handed out. */
  readonly lastStable: number;
  /** -1 from a broker that does not say. */
  readonly logStart: number;
}

/** Whose records they are. */
export interface Source {
  /** Without prefix. */
  readonly topic: string;
  readonly partition: number;
}

/** Most records and headers of one reading, so that a batch of millions of tiny ones does not take the memory. */
const MAX_ITEMS = 10_000;
/** Decoding lets other work run after this long. */
const SLICE_MS = 4;
/** Records and headers between two looks at the clock. */
const ITEMS_PER_LOOK = 256;

/** One fetch of one partition: the record set as the broker sent it, and the bounds of the log. */
export class FetchedRecords {
  /**
   * @param bytes record batches, the last one perhaps cut
   * @param aborted in any order
   */
  constructor(
    private readonly bytes: Buffer,
    private readonly aborted: readonly AbortedTransaction[],
    readonly bounds: FetchedBounds,
  ) {}

  /**
   * Decodes a fetch, in time linear in its bytes. Records beyond the limits of one reading are left to the next fetch.
   *
   * @param from the fetched offset; a batch may begin before it
   * @throws Error when the bytes are no record batches
   */
  async read(from: number, source: Source): Promise<FetchedLog> {
    if (this.bytes.length === 0) {
      return { records: [], next: from, firstLeaderEpoch: undefined, leaderEpoch: undefined };
    }
    const visible = new VisibleBatches(this.bytes, this.aborted);
    const out: RecordSink = {
      ...source,
      from,
      records: [],
      items: 0,
      inflatedBytes: 0,
      sinceLook: 0,
      pauseAt: pauseTime(),
    };
    let next = from;
    let firstLeaderEpoch: number | undefined;
    let leaderEpoch: number | undefined;
    for (let batch = visible.next(); batch; batch = visible.next()) {
      firstLeaderEpoch ??= batch.header.leaderEpoch;
      if (batch.isVisible && !(await readBatch(this.bytes, batch.header, out))) {
        const next = (out.records.at(-1)?.offset ?? from) + 1;
        return { records: out.records, next, firstLeaderEpoch, leaderEpoch };
      }
      leaderEpoch = batch.header.leaderEpoch ?? leaderEpoch;
      next = Math.max(next, batch.header.lastOffset + 1);
      if (out.items >= MAX_ITEMS || out.inflatedBytes >= MAX_INFLATED_BYTES) break;
    }
    return { records: out.records, next, firstLeaderEpoch, leaderEpoch };
  }
}

/** Goes through the batches of a record set and knows which of them are to be seen. */
class VisibleBatches {
  private readonly aborted: AbortedTransaction[];
  /** Producers whose aborted transaction has begun and not ended. */
  private readonly abortedProducers = new Set<bigint>();
  private at = 0;
  /** Of the aborted transactions, the first that has not begun. */
  private nextAborted = 0;

  constructor(
    private readonly bytes: Buffer,
    aborted: readonly AbortedTransaction[],
  ) {
    this.aborted = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  next(): { readonly header: BatchHeader; readonly isVisible: boolean } | undefined {
    const header = readBatchHeader(this.bytes, this.at);
    if (header === undefined) return undefined;
    this.at = header.end;
    return { header, isVisible: !this.isAborted(header) && !header.isControl };
  }

  /** As Java's consumer does it: a producer's batches are aborted from the first offset up to its abort marker. */
  private isAborted(header: BatchHeader): boolean {
    for (let next = this.aborted[this.nextAborted]; next; next = this.aborted[++this.nextAborted]) {
      if (next.firstOffset > header.lastOffset) break;
      this.abortedProducers.add(next.producerId);
    }
    if (this.abortedProducers.size === 0 || !header.isReadable) return false;
    const producerId = producerIdOf(this.bytes, header);
    if (isAbortMarker(this.bytes, header)) this.abortedProducers.delete(producerId);
    return header.isTransactional && this.abortedProducers.has(producerId);
  }
}

interface RecordSink extends Source {
  /** Records below it are of no interest. */
  readonly from: number;
  readonly records: InRecord[];
  /** Records and headers so far. */
  items: number;
  /** Of compressed batches. */
  inflatedBytes: number;
  /** Records and headers, read or skipped, since the latest look at the clock. */
  sinceLook: number;
  /** By the clock of `performance`, ms. */
  pauseAt: number;
}

function pauseTime(): number {
  return performance.now() + SLICE_MS;
}

/**
 * Adds the records of a batch. An undecodable rest becomes one record: the batch itself, marked.
 *
 * @returns false when there is no room for all of it
 */
async function readBatch(bytes: Buffer, header: BatchHeader, out: RecordSink): Promise<boolean> {
  const read = out.records.length;
  try {
    if (!header.isReadable) throw new Error('its message format is older than 2');
    const packed = recordBytes(bytes, header);
    const isPacked = isCompressed(header.codec);
    const unpacked = isPacked ? await inflate(header.codec, packed) : packed;
    if (isPacked) out.inflatedBytes += unpacked.length;
    const records = new BatchRecords(new ByteReader(unpacked), header, out);
    while (!records.readSlice()) {
      await setImmediate();
      out.pauseAt = pauseTime();
    }
    return records.isComplete;
  } catch (error) {
    const isPartly = out.records.length > read;
    const reason = `${isPartly ? 'a part of the batch' : 'the batch'} cannot be decoded: ${messageOf(error)}`;
    const isNew = header.lastOffset >= out.from && header.lastOffset !== out.records.at(-1)?.offset;
    if (isNew) out.records.push(undecodable(bytes, header, out, reason));
    return true;
  }
}

/** Reads the records of one batch, in slices. */
class BatchRecords {
  private readonly batchEnd: number;
  private left: number;

  constructor(
    private readonly reader: ByteReader,
    private readonly header: BatchHeader,
    private readonly out: RecordSink,
  ) {
    this.batchEnd = reader.end;
    this.left = header.recordCount;
  }

  get isComplete(): boolean {
    return this.left <= 0;
  }

  /**
   * @returns false when there is more, after a pause
   * @throws MalformedBytesError at a record that is none
   */
  readSlice(): boolean {
    const { out } = this;
    while (!this.isComplete && out.items < MAX_ITEMS) {
      out.sinceLook += 1 + this.readOne();
      if (out.sinceLook < ITEMS_PER_LOOK) continue;
      out.sinceLook = 0;
      if (performance.now() > out.pauseAt) return false;
    }
    return true;
  }

  /** @returns records and headers read: none of a record that is of no interest */
  private readOne(): number {
    const { reader, out } = this;
    const before = out.items;
    const length = reader.varint();
    const start = reader.skip(length);
    // The record ends what may be read of it, and whatever it has beyond its fields is passed over.
    reader.at = start;
    reader.end = start + length;
    readRecord(reader, this.header, out);
    reader.at = reader.end;
    reader.end = this.batchEnd;
    this.left--;
    return out.items - before;
  }
}

function readRecord(reader: ByteReader, header: BatchHeader, out: RecordSink): void {
  const { topic, partition, from, records } = out;
  // Attributes: none are in use.
  reader.skip(1);
  const timestamp = header.baseTimestamp + reader.varint();
  const offset = header.baseOffset + reader.varint();
  if (offset < from) return;
  if (offset > header.lastOffset || offset <= (records.at(-1)?.offset ?? -1)) {
    throw new MalformedBytesError(`offset ${offset} is out of order`);
  }
  const key = reader.field();
  const value = reader.field();
  const { headers, count, oversized } = readHeaders(reader);
  out.items += 1 + count;
  records.push({
    topic,
    partition,
    offset,
    timestamp: header.appendTimestamp ?? timeOf(timestamp),
    key,
    value,
    headers,
    oversized,
  });
}

/** A producer writes any 64 bits where the broker does not set the time; PostgreSQL and texts of times hold fewer. */
function timeOf(written: number): number {
  return Math.min(Math.max(0, written), MAX_TIME_MS);
}

/** Stands for the unreadable part of a batch. Its offset is the batch's last one, after the readable records. */
function undecodable(bytes: Buffer, header: BatchHeader, { topic, partition }: Source, reason: string): InRecord {
  return {
    topic,
    partition,
    offset: header.lastOffset,
    timestamp: header.appendTimestamp ?? timeOf(header.baseTimestamp),
    key: null,
    value: bytes.subarray(header.start, header.end),
    headers: named<Buffer>(),
    oversized: `${reason} (offsets ${header.baseOffset} to ${header.lastOffset})`,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
