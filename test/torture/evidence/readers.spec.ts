import { expect, it } from '@jest/globals';
import type { TopicRecord } from '../judge/evidence.js';
import { readAlarms } from './loss-alarms.js';
import { mergeTopics } from './topic-contents.js';

it('given a log that reports lost records, then only the alarm is read', () => {
  const told = {
    ...{ level: 'error', time: 1_767_614_400_000, app: 'dispatcher', context: 'LogConsumer', topic: 'deliveries' },
    ...{ partition: 3, lost_records: 7, next_offset: 40, msg: 'log.records_lost_to_retention' },
  };
  const log = ['not JSON', JSON.stringify({ ...told, msg: 'other' }), JSON.stringify(told), ''].join('\n');

  expect(readAlarms(log, 'dispatcher-0')).toEqual([
    {
      ...{ at: 1_767_614_400_000, process: 'dispatcher-0', topic: 'deliveries', partition: 3 },
      ...{ lostRecords: 7, nextOffset: 40 },
    },
  ]);
});

it('given records that were read before retention deleted them, then the contents include them', () => {
  const record = (offset: number, key: string): TopicRecord => ({
    ...{ partition: 0, offset, timestamp: 0, key, eventId: undefined, delivery: undefined, attempt: undefined },
    ...{ dead: undefined, breaker: undefined },
  });
  const before = { topic: 't', partitions: [], records: [record(0, 'a'), record(1, 'b')] };
  const after = {
    topic: 't',
    partitions: [{ partition: 0, start: 1, end: 3 }],
    records: [record(1, 'b'), record(2, 'c')],
  };
  const [merged] = mergeTopics([before], [after]);

  expect(merged?.records.map(({ offset, key }) => [offset, key])).toEqual([
    [0, 'a'],
    [1, 'b'],
    [2, 'c'],
  ]);
  expect(merged?.partitions).toEqual(after.partitions);
});
