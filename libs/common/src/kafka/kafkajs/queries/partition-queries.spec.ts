import { describe, expect, it } from '@jest/globals';
import { decodeEpochResponse, encodeEpochRequest, epochEnds, offsetsAt } from './partition-queries.js';
import type { RequestBroker, RequestCluster } from './raw-request.js';

const topic = 'log';
const NAME = `0003${Buffer.from(topic).toString('hex')}`;

describe('OffsetForLeaderEpoch', () => {
  it('given two partitions, then the body is as the protocol says', () => {
    const body = encodeEpochRequest([
      { topic, partition: 1, leader: 0, leaderEpoch: 7 },
      { topic, partition: 2, leader: 0, leaderEpoch: 8 },
    ]);

    const partition = (index: number, epoch: number) => `${int32(index)}${int32(-1)}${int32(epoch)}`;
    expect(body.toString('hex')).toBe(`${int32(-1)}${int32(1)}${NAME}${int32(2)}${partition(1, 7)}${partition(2, 8)}`);
  });

  it('given an end, an unknown epoch and a partition that the broker does not lead, then each is read as such', () => {
    const partition = (error: number, index: number, epoch: number, end: string) =>
      `${error.toString(16).padStart(4, '0')}${int32(index)}${int32(epoch)}${end}`;
    const bytes = Buffer.from(
      `${int32(0)}${int32(1)}${NAME}${int32(3)}` +
        partition(0, 0, 7, '0000010000000000') +
        partition(0, 1, -1, 'ffffffffffffffff') +
        partition(6, 2, -1, 'ffffffffffffffff'),
      'hex',
    );

    expect(decodeEpochResponse(bytes)).toEqual([
      ['log/0', 2 ** 40],
      ['log/1', undefined],
    ]);
  });

  it('given a broker too old for it, then no epoch is known', async () => {
    const ends = await epochEnds(clusterOf({ 1: { versions: { 23: { minVersion: 0, maxVersion: 2 } } } }), [
      { topic, partition: 0, leader: 1, leaderEpoch: 7 },
    ]);
    expect([...ends]).toEqual([['log/0', undefined]]);
  });
});

describe('offsetsAt', () => {
  it('given a leader that does not answer, then only its own partitions are missing', async () => {
    const cluster = clusterOf({
      1: {
        listOffsets: async ({ topics }) => ({
          responses: topics.map(({ topic: name, partitions }) => ({
            topic: name,
            partitions: partitions.map(({ partition }) => ({ partition, offset: '5' })),
          })),
        }),
      },
    });
    const found = await offsetsAt(cluster, [
      { topic, partition: 0, leader: 1, timestamp: -1 },
      { topic, partition: 1, leader: 2, timestamp: -1 },
    ]);
    expect([...found]).toEqual([['log/0', 5]]);
  });
});

function clusterOf(brokers: Record<number, Partial<RequestBroker>>): RequestCluster {
  return {
    brokerPool: { findConnectedBroker: () => Promise.reject(new Error('none')) },
    findBroker: async ({ nodeId }) => {
      const broker = brokers[nodeId];
      if (broker === undefined) throw new Error('connection refused');
      return broker as RequestBroker;
    },
  };
}

function int32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
