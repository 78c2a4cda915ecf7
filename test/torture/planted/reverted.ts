import type { Patch } from './planted-build.js';

/** Faults that stalled partitions before they were mended. Each is planted again, to see that an alarm names the stall. */
export const REVERTED = {
  /** kafkajs advanced over a fetch without data records and called no handler: all later batches counted as stale. */
  'transaction-stalls': [
    {
      file: 'libs/common/src/kafka/log-consumer.js',
      text: 'const reading = await batch.fetched.read(from, log);',
      becomes:
        'const reading = await batch.fetched.read(from, log);\n' +
        '        if (reading.records.length === 0 && reading.next > from) return resolveOffset(String(reading.next - 1));',
    },
    {
      file: 'libs/common/src/kafka/log-consumer.js',
      text: 'const isOwned = log !== undefined && !log.lost.aborted && !this.isStopping;',
      becomes: 'const isOwned = false;',
    },
  ],
  /** A name with a NUL passed, and a statement with a value that PostgreSQL rejects was repeated for as long as the log was owned. */
  'rejected-value-repeats': [
    {
      file: 'libs/common/src/records/delivery-record.js',
      text: 'const meta = NAMES.test(text) ? unpackDelivery(text) : undefined;',
      becomes: 'const meta = unpackDelivery(text);',
    },
    {
      file: 'libs/common/src/postgres/persist-batch.js',
      text: 'switch (nextStep(meaning, part.length, this.comparisons)) {',
      becomes: "switch ('wait') {",
    },
  ],
  /** A deleted topic stayed missing. */
  'topic-stays-missing': [
    {
      file: 'libs/common/src/kafka/topic-keeper.js',
      text: 'if (specs.length === 0)\n            return;',
      becomes: 'return;',
    },
  ],
} as const satisfies Record<string, readonly Patch[]>;
