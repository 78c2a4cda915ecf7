import type { CompactedTable, CompactedTableOptions } from '#common/kafka/port/compacted-table.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import { CHANGE_HEADER, encodeChange } from '#common/records/configuration-change.js';
import { SEQUENCE_MARKER } from '#common/records/marker.js';

/** A compacted topic in memory, caught up, and a client that reads only it. */
export class MemoryTable implements CompactedTable {
  isCaughtUp = true;
  private options: CompactedTableOptions | undefined;
  private offset = 0;

  readonly client = {
    settings: { trust: undefined, onFatal: () => undefined },
    table: (options: CompactedTableOptions) => {
      this.options = options;
      return this;
    },
  } as unknown as KafkaClient;

  /** @param version of the change; undefined for a record without its header */
  write(key: string, value: object | null, version?: number): void {
    const bytes = value === null ? null : Buffer.from(JSON.stringify(value));
    const change = version === undefined ? undefined : encodeChange({ sequence: 0, id: '', version });
    const headers = change === undefined ? {} : { [CHANGE_HEADER]: Buffer.from(change) };
    const place = { topic: 'memory', partition: 0, offset: this.offset++, timestamp: 0 };
    this.options?.apply(key, bytes, { ...place, key: Buffer.from(key), value: bytes, headers });
  }

  /** Control has written all its records. */
  complete(): void {
    this.write(SEQUENCE_MARKER, {}, 1);
  }

  start = () => Promise.resolve();
  stop = () => Promise.resolve();
  catchUp = () => Promise.resolve();
  checkLog = () => Promise.resolve();
  problem = () => undefined;
}
