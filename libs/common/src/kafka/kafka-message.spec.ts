import type { IHeaders, KafkaMessage } from 'kafkajs';
import { poisonRecord } from '../records/poison-record.js';
import { toRecord } from './kafka-message.js';
import { encodeProduce } from './produce-request.js';

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '', 'a\0b', '0'];
/** As kafkajs decodes them: what an object has by birth looks to it like an earlier value. */
const DECODED = Object.fromEntries(NAMES.map((name) => [name, [Object.prototype, Buffer.from(name)]]));

function read(headers: unknown): ReturnType<typeof toRecord> {
  const message = { offset: '3', timestamp: '1000', key: null, value: Buffer.from('x'), headers: headers as IHeaders };
  return toRecord('ingest', 0, message as unknown as KafkaMessage);
}

describe('a record as it is read', () => {
  it('given headers with names that every object knows, then they are headers like any other', () => {
    const { headers } = read(DECODED);
    expect(Object.keys(headers).sort()).toEqual([...NAMES].sort());
    for (const name of NAMES) expect(headers[name]).toEqual(Buffer.from(name));
    expect(read({}).headers.constructor).toBeUndefined();
  });

  it('given a header without value, then it is empty', () => {
    expect({ ...read({ a: null, b: ['x', null] }).headers }).toEqual({ a: Buffer.alloc(0), b: Buffer.alloc(0) });
  });

  it('given such a record, then it is set aside with all its headers', () => {
    const out = poisonRecord(read(DECODED), 'why', 0, 100_000);
    for (const name of NAMES) expect(Object.entries(out.headers ?? {})).toContainEqual([name, Buffer.from(name)]);
    const partitions = [{ partition: 0, records: [out] }];
    const bytes = encodeProduce({ acks: -1, timeout: 1, topicData: [{ topic: 'dlq', partitions }] }, 0);
    expect(bytes.includes('__proto__')).toBe(true);
  });
});
