import { ByteReader } from '../byte-reader.js';
import { type EncodableRecord, encodeProduce } from '../produce-request.js';

export interface BatchOptions {
  readonly baseOffset?: number;
  /** 1 gzip, 2 snappy, 3 lz4, 4 zstd; `pack` compresses accordingly. */
  readonly codec?: number;
  readonly pack?: (records: Buffer) => Buffer;
  readonly producerId?: number;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
  readonly isAppendTime?: boolean;
  readonly leaderEpoch?: number;
  /** Offsets of the records, counted from the base; 0, 1, 2 … without. Compaction leaves gaps. */
  readonly lastOffsetDelta?: number;
  readonly magic?: number;
}

const HEADER_BYTES = 61;
const AFTER_LENGTH = 12;

/** A record batch as a broker stores it: one of our own encoder, with the fields changed that a producer or broker sets. */
export function batchOf(records: readonly EncodableRecord[], options: BatchOptions = {}): Buffer {
  const { codec = 0, pack = (bytes) => bytes, producerId = -1, baseOffset = 0 } = options;
  const plain = plainBatch(records);
  const packed = codec === 0 ? plain.subarray(HEADER_BYTES) : pack(plain.subarray(HEADER_BYTES));
  const batch = Buffer.concat([plain.subarray(0, HEADER_BYTES), packed]);
  const flags =
    codec | (options.isAppendTime ? 0x08 : 0) | (options.isTransactional ? 0x10 : 0) | (options.isControl ? 0x20 : 0);
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(batch.length - AFTER_LENGTH, 8);
  batch.writeInt32BE(options.leaderEpoch ?? 0, 12);
  batch.writeInt8(options.magic ?? 2, 16);
  batch.writeInt16BE(flags, 21);
  batch.writeInt32BE(options.lastOffsetDelta ?? records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  return batch;
}

/** What ends a transaction in the log. */
export function marker(end: 'abort' | 'commit', producerId: number, baseOffset: number): Buffer {
  const key = Buffer.from([0, 0, 0, end === 'abort' ? 0 : 1]);
  return batchOf([{ key, value: Buffer.alloc(6) }], { producerId, baseOffset, isTransactional: true, isControl: true });
}

export const BATCH_TIME = 1_795_500_000_123;

function plainBatch(records: readonly EncodableRecord[]): Buffer {
  const topicData = [{ topic: 't', partitions: [{ partition: 0, records: [...records] }] }];
  const reader = new ByteReader(encodeProduce({ acks: -1, timeout: 1, topicData }, BATCH_TIME));
  // Transactional id, acks, timeout, topics, the topic's name, partitions, the partition.
  reader.skip(2 + 2 + 4 + 4 + 3 + 4 + 4);
  return reader.slice(reader.int32());
}
