import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeBatch from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import { crc32c } from './crc32c.js';
import { type EncodableRecord, encodeProduce } from './produce-request.js';

const NOW = 1_795_500_000_123;
const CRC_AT = 17;

/** What kafkajs reads of the request: for each topic and partition its records. */
async function decode(request: Buffer) {
  const decoder = new Decoder(request);
  const head = { transactionalId: decoder.readInt16(), acks: decoder.readInt16(), timeout: decoder.readInt32() };
  const topics = [];
  for (let left = decoder.readInt32(); left > 0; left--) {
    const topic = decoder.readString();
    const partitions = [];
    for (let more = decoder.readInt32(); more > 0; more--) {
      const partition = decoder.readInt32();
      const bytes = decoder.readBytes(decoder.readInt32());
      expect(bytes.readUInt32BE(CRC_AT)).toBe(crc32c(bytes.subarray(CRC_AT + 4)));
      const { records } = await decodeBatch(new Decoder(bytes));
      partitions.push({ partition, records });
    }
    topics.push({ topic, partitions });
  }
  expect(decoder.offset).toBe(request.length);
  return { ...head, topics };
}

const content = fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), bytes(200)));

function bytes(maxLength: number) {
  return fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
}

/** kafkajs's reader takes what every object inherits, like `__proto__`, for an earlier header of that name. */
const headerName = fc.string({ minLength: 1 }).filter((name) => !(name in {}));

const record = fc.record<EncodableRecord>({
  key: content,
  value: content,
  headers: fc.dictionary(headerName, fc.oneof(fc.string({ unit: 'binary' }), bytes(200)), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
});

function asRead({ key = null, value, headers = {} }: EncodableRecord, index: number) {
  const buffers = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]);
  return {
    offset: String(index),
    timestamp: String(NOW),
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: Object.fromEntries(buffers),
  };
}

describe('encodeProduce', () => {
  it('given any records, then kafkajs reads the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 30 }), async (records) => {
        const topicData = [{ topic: 'deliveries', partitions: [{ partition: 7, records }] }];
        const { topics, ...head } = await decode(encodeProduce({ acks: -1, timeout: 10_000, topicData }, NOW));
        expect(head).toEqual({ transactionalId: -1, acks: -1, timeout: 10_000 });
        expect(topics[0]?.partitions[0]?.records).toMatchObject(records.map(asRead));
      }),
      { numRuns: 40 },
    );
  });

  it.each([0, 63, 64, 8_191, 8_192, 1_048_575, 1_048_576])(
    'given a value of %i bytes, then its length is read',
    async (length) => {
      const records = [{ key: null, value: Buffer.alloc(length, 'ü') }];
      const topicData = [{ topic: 't', partitions: [{ partition: 0, records }] }];
      const { topics } = await decode(encodeProduce({ acks: -1, timeout: 1, topicData }, NOW));
      expect(topics[0]?.partitions[0]?.records[0]?.value).toEqual(records[0]?.value);
    },
  );

  it('given several topics and partitions, then each has its own records', async () => {
    const message = (value: string) => ({ key: 'k', value });
    const topicData = [
      { topic: 'a', partitions: [0, 3].map((partition) => ({ partition, records: [message(`a${partition}`)] })) },
      { topic: 'b', partitions: [{ partition: 1, records: [message('b1'), message('b2')] }] },
    ];
    const { topics } = await decode(encodeProduce({ acks: -1, timeout: 1, topicData }, NOW));
    const values = topics.map(({ topic, partitions }) => [
      topic,
      partitions.map(({ partition, records }) => [partition, records.map(({ value }) => String(value))]),
    ]);
    expect(values).toEqual([
      [
        'a',
        [
          [0, ['a0']],
          [3, ['a3']],
        ],
      ],
      ['b', [[1, ['b1', 'b2']]]],
    ]);
  });
});
