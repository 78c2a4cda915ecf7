import { describe, expect, it } from '@jest/globals';
import { decodeMetadataResponse, encodeMetadataRequest } from './metadata-request.js';

const ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

describe('encodeMetadataRequest', () => {
  it.each([
    { version: 12, rights: '00' },
    { version: 10, rights: '0000' },
  ])('given version $version, then the body is as the protocol says', ({ version, rights }) => {
    const body = encodeMetadataRequest(version, ['log']);

    const header = '00';
    const topic = `${'00'.repeat(16)}04${Buffer.from('log').toString('hex')}00`;
    expect(body.toString('hex')).toBe(`${header}02${topic}00${rights}00`);
  });

  it('given a name of 127 bytes and more, then its length takes two bytes', () => {
    const body = encodeMetadataRequest(12, ['x'.repeat(249)]);

    expect(body.subarray(18, 20).toString('hex')).toBe('fa01');
  });
});

describe('decodeMetadataResponse', () => {
  it('given two brokers, two partitions and tags of a later version, then each topic has its id and leaders', () => {
    const bytes = response([
      topic({ name: 'log', id: ID, partitions: [partition(1, 7, '0107020102'), partition(0, -1, '00')] }),
      topic({ name: 'gone', errorCode: 3, id: Buffer.alloc(16), partitions: [] }),
    ]);

    expect(decodeMetadataResponse(bytes)).toEqual([
      { errorCode: 0, name: 'log', topicId: ID.toString('base64url'), leaders: [-1, 7] },
      { errorCode: 3, name: 'gone', topicId: undefined, leaders: [] },
    ]);
  });
});

function response(topics: readonly string[]): Buffer {
  const broker = (node: number, rack: string) => `${int32(node)}${string('host')}${int32(9092)}${rack}00`;
  const brokers = `03${broker(1, '00')}${broker(7, string('rack'))}`;
  return Buffer.from(
    `00${int32(0)}${brokers}${string('cluster')}${int32(1)}${count(topics.length)}${topics.join('')}00`,
    'hex',
  );
}

function topic(of: { name: string; id: Buffer; errorCode?: number; partitions: readonly string[] }): string {
  const error = (of.errorCode ?? 0).toString(16).padStart(4, '0');
  const partitions = `${count(of.partitions.length)}${of.partitions.join('')}`;
  return `${error}${string(of.name)}${of.id.toString('hex')}00${partitions}${int32(-2147483648)}00`;
}

function partition(index: number, leader: number, tags: string): string {
  const replicas = `03${int32(1)}${int32(7)}`;
  return `0000${int32(index)}${int32(leader)}${int32(4)}${replicas}${replicas}01${tags}`;
}

function int32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

function string(text: string): string {
  return count(text.length) + Buffer.from(text).toString('hex');
}

function count(items: number): string {
  return (items + 1).toString(16).padStart(2, '0');
}
