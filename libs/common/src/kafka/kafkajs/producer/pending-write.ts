import type { OutRecord } from '../../../records/record.js';

/** A call of `write` until its outcome is known. */
export interface PendingWrite {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Parts that are not stored yet. */
  openParts: number;
  timer: NodeJS.Timeout | undefined;
  isSettled: boolean;
}

/** Records of one write that are sent together. A write is one part until a partition of it is held. */
export interface WritePart {
  readonly write: PendingWrite;
  readonly records: readonly OutRecord[];
  readonly bytes: number;
}

/** The first parts of a queue that fit one request; at least one. Parts of settled writes are dropped. */
export function takeParts(queue: WritePart[], maxBytes: number): WritePart[] {
  const taken: WritePart[] = [];
  let bytes = 0;
  let count = 0;
  for (const part of queue) {
    if (taken.length > 0 && bytes + part.bytes > maxBytes) break;
    count++;
    if (part.write.isSettled) continue;
    taken.push(part);
    bytes += part.bytes;
  }
  queue.splice(0, count);
  return taken;
}

/** Splits a write whose records are too many for one request, in order. A record that is too large is a part alone. */
export function partsOf(write: PendingWrite, records: readonly OutRecord[], maxBytes: number): WritePart[] {
  if (write.bytes <= maxBytes) return [{ write, records, bytes: write.bytes }];
  const parts: { write: PendingWrite; records: OutRecord[]; bytes: number }[] = [];
  for (const record of records) {
    const bytes = recordBytes(record);
    const last = parts.at(-1);
    if (last === undefined || last.bytes + bytes > maxBytes) parts.push({ write, records: [record], bytes });
    else {
      last.records.push(record);
      last.bytes += bytes;
    }
  }
  write.openParts = parts.length;
  return parts;
}

/** Splits a part by `keyOf` of its records, and keeps their order within each. */
export function splitPart(part: WritePart, keyOf: (record: OutRecord) => string): Map<string, WritePart> {
  const groups = Map.groupBy(part.records, keyOf);
  if (groups.size === 1) return new Map([...groups.keys()].map((key) => [key, part]));
  part.write.openParts += groups.size - 1;
  return new Map([...groups].map(([key, records]) => [key, { write: part.write, records, bytes: bytesOf(records) }]));
}

/** Framing of a record besides its key, value and headers; generous. */
const RECORD_OVERHEAD_BYTES = 64;

export function bytesOf(records: readonly OutRecord[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record), 0);
}

function recordBytes({ key, value, headers }: OutRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + byteLength(key) + byteLength(value);
  for (const name in headers) bytes += name.length + byteLength(headers[name] ?? '') + 4;
  return bytes;
}

function byteLength(content: Buffer | string | null): number {
  if (content === null) return 0;
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length;
}
