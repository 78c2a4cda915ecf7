import { crc32c } from './crc32c.js';

/** A record as it is produced. */
export interface EncodableRecord {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, Buffer | string>>;
}

/**
 * The records for one partition, as one message for kafkajs. kafkajs sorts messages by partition one by one, and copies all
 * earlier ones each time.
 */
export class PartitionBatch {
  readonly value = null;
  readonly records: EncodableRecord[] = [];

  constructor(readonly partition: number) {}

  /** kafkajs's own encoder would write one empty message, and lose the records silently. */
  get key(): never {
    throw new TypeError('only encodeProduce writes a batch');
  }
}

export interface ProduceContent {
  readonly acks: number;
  /** ms the broker may take to have all in-sync replicas store it. */
  readonly timeout: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly Pick<PartitionBatch, 'partition' | 'records'>[];
  }[];
}

const MAGIC = 2;
/** Of a batch before its records. */
const BATCH_HEADER_BYTES = 61;
/** Offsets from the start of a batch: of the first byte that its length counts, of its checksum, and of the first byte that covers. */
const AFTER_LENGTH = 12;
const CRC_AT = 17;
const CHECKED_FROM = 21;
/** No producer id: no producer of Posthorn is idempotent (docs/adr/0002). */
const NONE = -1;

/**
 * The body of a Produce request, versions 3 to 8, for a producer that is neither idempotent nor transactional; nothing is
 * compressed. kafkajs makes a dozen buffers for every record: 8 µs, where this takes 1.4 (measured).
 *
 * @param nowMs becomes the time of all records
 */
export function encodeProduce({ acks, timeout, topicData }: ProduceContent, nowMs: number): Buffer {
  const out = new ByteWriter(sizeOf(topicData));
  out.int16(NONE);
  out.int16(acks);
  out.int32(timeout);
  out.int32(topicData.length);
  for (const { topic, partitions } of topicData) {
    out.int16(Buffer.byteLength(topic));
    out.text(topic);
    out.int32(partitions.length);
    for (const { partition, records } of partitions) {
      out.int32(partition);
      const lengthAt = out.length;
      out.int32(0);
      writeBatch(out, records, nowMs);
      out.bytes.writeInt32BE(out.length - lengthAt - 4, lengthAt);
    }
  }
  return out.written();
}

/** @see https://kafka.apache.org/documentation/#recordbatch */
function writeBatch(out: ByteWriter, records: readonly EncodableRecord[], nowMs: number): void {
  const start = out.length;
  out.int64(0);
  out.int32(0);
  out.int32(NONE);
  out.int8(MAGIC);
  out.int32(0);
  out.int16(0);
  out.int32(records.length - 1);
  out.int64(nowMs);
  out.int64(nowMs);
  out.int64(NONE);
  out.int16(NONE);
  out.int32(NONE);
  out.int32(records.length);
  for (let index = 0; index < records.length; index++) writeRecord(out, records[index] as EncodableRecord, index);
  out.bytes.writeInt32BE(out.length - start - AFTER_LENGTH, start + AFTER_LENGTH - 4);
  out.bytes.writeUInt32BE(crc32c(out.bytes.subarray(start + CHECKED_FROM, out.length)), start + CRC_AT);
}

function writeRecord(out: ByteWriter, { key = null, value, headers }: EncodableRecord, index: number): void {
  const names = headers === undefined ? [] : Object.keys(headers);
  let bodyBytes = 2 + varintBytes(index) + fieldBytes(key) + fieldBytes(value) + varintBytes(names.length);
  for (const name of names) bodyBytes += fieldBytes(name) + fieldBytes(headers?.[name] ?? null);
  out.varint(bodyBytes);
  // Neither attributes nor a time of its own.
  out.int16(0);
  out.varint(index);
  out.field(key);
  out.field(value);
  out.varint(names.length);
  for (const name of names) {
    out.field(name);
    out.field(headers?.[name] ?? null);
  }
}

/** At least the written size, unless text is not ASCII: then the writer grows. */
function sizeOf(topicData: ProduceContent['topicData']): number {
  let bytes = 64;
  for (const { topic, partitions } of topicData) {
    bytes += topic.length + 6;
    for (const { records } of partitions) {
      bytes += BATCH_HEADER_BYTES + 8;
      for (const { key, value, headers } of records) {
        bytes += 24 + (key?.length ?? 0) + (value?.length ?? 0);
        for (const name in headers) bytes += 10 + name.length + (headers[name]?.length ?? 0);
      }
    }
  }
  return bytes;
}

function fieldBytes(content: Buffer | string | null): number {
  if (content === null) return 1;
  const bytes = typeof content === 'string' ? Buffer.byteLength(content) : content.length;
  return varintBytes(bytes) + bytes;
}

/** @param value 0 to 2^30 */
function varintBytes(value: number): number {
  const zigzag = value * 2;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x200000 ? 3 : zigzag < 0x10000000 ? 4 : 5;
}

/** Writes Kafka's primitive types one behind the other. */
class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(expectedBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(expectedBytes);
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  int8(value: number): void {
    this.reserve(1);
    this.length = this.bytes.writeInt8(value, this.length);
  }

  int16(value: number): void {
    this.reserve(2);
    this.length = this.bytes.writeInt16BE(value, this.length);
  }

  int32(value: number): void {
    this.reserve(4);
    this.length = this.bytes.writeInt32BE(value, this.length);
  }

  /** @param value exact up to 2^53 */
  int64(value: number): void {
    this.reserve(8);
    this.length = this.bytes.writeInt32BE(Math.floor(value / 0x100000000), this.length);
    this.length = this.bytes.writeUInt32BE(value >>> 0, this.length);
  }

  /** Zigzag, as all varints of records. @param value -1 to 2^30 */
  varint(value: number): void {
    this.reserve(5);
    let rest = value < 0 ? 1 : value * 2;
    for (; rest >= 0x80; rest >>>= 7) this.bytes[this.length++] = (rest & 0x7f) | 0x80;
    this.bytes[this.length++] = rest;
  }

  text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.reserve(bytes);
    this.length += this.bytes.write(text, this.length, bytes, bytes === text.length ? 'latin1' : 'utf8');
  }

  /** Its length as a varint, and its bytes; -1 for null. */
  field(content: Buffer | string | null): void {
    if (content === null) this.varint(-1);
    else if (typeof content === 'string') {
      this.varint(Buffer.byteLength(content));
      this.text(content);
    } else {
      this.varint(content.length);
      this.reserve(content.length);
      this.length += content.copy(this.bytes, this.length);
    }
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + bytes));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
