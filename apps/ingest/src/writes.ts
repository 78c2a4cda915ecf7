import type { WriteOptions } from '#common/kafka/port/record-writer.js';
import { recordBytes } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';

/** Far below the largest batch of any topic. Only a single large record exceeds this limit. */
const MAX_WRITE_BYTES = 256 * 1_024;

interface Writer {
  write(records: readonly OutRecord[], options?: WriteOptions): Promise<void>;
}

/**
 * Writes records in order, in portions that fit into a Kafka batch. Resolves when Kafka acknowledged all of them.
 *
 * @throws KafkaUnavailableError without an acknowledgement; some records may be stored
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
