import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { partitionOf } from './partitioner.js';

const PARTITIONS = 12;

/** The choice of an ordinary kafkajs producer. */
const theirs = (key: Buffer | string) => {
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return Partitioners.DefaultPartitioner()({ topic: 't', partitionMetadata, message: { key, value: null } });
};

describe('partitionOf', () => {
  it('given any key, then it is where other clients put it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const key = Buffer.from(bytes);
        expect(partitionOf(key, PARTITIONS)).toBe(theirs(key));
      }),
    );
  });

  it('given text, then its UTF-8 counts', () => {
    expect(partitionOf('ep_1:Zoë', PARTITIONS)).toBe(theirs('ep_1:Zoë'));
  });
});
