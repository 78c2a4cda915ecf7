import type { WriteOptions } from '#common/kafka/port/record-writer.js';
import { recordBytes } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';

/** Well below the largest batch of any topic, so that only a single record may be larger. */
const MAX_WRITE_BYTES = 256 * 1_024;

interface Writer {
  write(records: readonly OutRecord[], options?: WriteOptions): Promise<void>;
}

/**
 * Writes any number of records, in order, in portions a broker takes.
 *
 * @returns when all are stored
 * @throws KafkaUnavailableError when that could not be confirmed: some may be stored
 */
export async function writeAll(writer: Writer, records: readonly OutRecord[], options?: WriteOptions): Promise<void> {
  await Promise.all(portions(records).map((portion) => writer.write(portion, options)));
}

function portions(records: readonly OutRecord[]): OutRecord[][] {
  const all: OutRecord[][] = [];
  let current: OutRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = recordBytes(record);
    if (current.length > 0 && bytes + size > MAX_WRITE_BYTES) {
      all.push(current);
      current = [];
      bytes = 0;
    }
    current.push(record);
    bytes += size;
  }
  return current.length > 0 ? [...all, current] : all;
}
