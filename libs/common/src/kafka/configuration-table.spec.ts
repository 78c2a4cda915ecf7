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
    checkLog: async () => undefined,
    stop: async () => undefined,
  };
  const client = {
    settings: {},
    table: (given: CompactedTableOptions): CompactedTable => {
      options = given;
      return log;
    },
  } as unknown as KafkaClient;
  const ignored: string[] = [];
  const table = new ConfigurationTable(client, {
    topic: 'endpoints',
    apply: () => undefined,
    onIgnored: (key) => void ignored.push(key),
  });
  const write = (key: string, value: string | null) => {
    const record = {
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
      offset: offset++,
    };
    options?.apply(key, record.value, record as unknown as InRecord);
  };
  /** The topic is made again, and its new log is empty. */
  const replace = () => options?.onReplaced?.();
  return { table, write, replace, ignored };
}

const MARKER_LACKS = 'endpoints lacks the marker of control';

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

  it('given a complete table whose topic is made again, then its rows still count, and no absent key is a fact until the marker', async () => {
    const { table, write, replace } = followed();
    await table.start();
    write(SEQUENCE_MARKER, '{}');
    await table.catchUpWhole();

    replace();
    expect(table.isComplete).toBe(true);
    await expect(table.catchUpWhole()).rejects.toThrow(MARKER_LACKS);

    write(SEQUENCE_MARKER, '{}');
    await table.catchUpWhole();
  });

  it('given a marker of a log that is replaced before its end was read, then it completes nothing', async () => {
    const { table, write, replace } = followed();
    write(SEQUENCE_MARKER, '{}');
    replace();
    let isStarted = false;
    const started = table.startComplete().then(() => {
      isStarted = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect({ isStarted, isComplete: table.isComplete }).toEqual({ isStarted: false, isComplete: false });
    write(SEQUENCE_MARKER, '{}');
    await started;
  });

  it('given a tombstone of the marker, then it is ignored, so that control writes the marker again', async () => {
    const { table, write, ignored } = followed();
    await table.start();
    write(SEQUENCE_MARKER, '{}');
    write(SEQUENCE_MARKER, null);
    expect({ isComplete: table.isComplete, ignored }).toEqual({ isComplete: true, ignored: [SEQUENCE_MARKER] });
  });
});
