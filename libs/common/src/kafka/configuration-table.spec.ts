import { describe, expect, it } from '@jest/globals';
import { CHANGE_HEADER, encodeChange } from '../records/configuration-change.js';
import { SEQUENCE_MARKER } from '../records/marker.js';
import type { InRecord } from '../records/record.js';
import { ConfigurationTable } from './configuration-table.js';
import type { CompactedTable, CompactedTableOptions } from './port/compacted-table.js';
import type { KafkaClient } from './port/kafka-client.js';

const headers = { [CHANGE_HEADER]: Buffer.from(encodeChange({ sequence: 7, id: 'a', version: 7 })) };

/** A table whose log the test writes. */
function followed() {
  let options: CompactedTableOptions | undefined;
  let offset = 0;
  const log = {
    isCaughtUp: false,
    problem: () => undefined,
    start: async () => {
      log.isCaughtUp = true;
    },
    catchUp: async () => undefined,
    stop: async () => undefined,
  };
  const client = {
    settings: {},
    table: (given: CompactedTableOptions): CompactedTable => {
      options = given;
      return log;
    },
  } as unknown as KafkaClient;
  const table = new ConfigurationTable(client, { topic: 'endpoints', apply: () => undefined });
  const write = (key: string, value: string | null) => {
    const record = {
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
      offset: offset++,
    };
    options?.apply(key, record.value, record as unknown as InRecord);
  };
  return { table, write };
}

describe('ConfigurationTable', () => {
  it('given a log without control’s marker, then its table is not complete, however many records it has', async () => {
    const { table, write } = followed();
    expect(table.completeProblem()).toBe('endpoints is not read to its end yet');
    write('ep_1', '{}');
    let isStarted = false;
    const started = table.startComplete().then(() => {
      isStarted = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect({ isStarted, isComplete: table.isComplete }).toEqual({ isStarted: false, isComplete: false });
    expect(table.completeProblem()).toBe(
      'endpoints waits for control, which has not written all records into this log yet',
    );

    write(SEQUENCE_MARKER, '{}');
    await started;
    expect({ isComplete: table.isComplete, problem: table.completeProblem() }).toEqual({
      isComplete: true,
      problem: undefined,
    });
  });
});
