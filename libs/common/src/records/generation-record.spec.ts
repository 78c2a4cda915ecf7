import { MAX_GENERATION, positionOf } from '../domain/position.js';
import { generationOutRecord, isMarkable, readGeneration } from './generation-record.js';
import { MAX_MARKED_GENERATION } from './limits.js';

const MARKER = { v: 1, topic: 'ingest', topic_id: 'abc', partitions: 8, generation: 3 } as const;
const TAIL = { partition: 0, from_offset: 7, generation: 4, leader_epoch: 1 };
const KEY = 'posthorn:generation:ingest';

const read = (over: object, key = KEY) => readGeneration(key, Buffer.from(JSON.stringify({ ...MARKER, ...over })));

describe('a generation marker', () => {
  it('given a marker, then what is read is what was written', () => {
    const record = { ...MARKER, lost_tails: [TAIL] };
    const { key, value } = generationOutRecord(record);
    expect(readGeneration(key, Buffer.from(value))).toEqual(record);
  });

  it.each([
    { generation: MAX_MARKED_GENERATION + 1 },
    { generation: 5_000 },
    { generation: -1 },
    { generation: 1.5 },
    { partitions: 0 },
    { partitions: 2 ** 31 },
    { lost_tails: [{ ...TAIL, generation: MAX_MARKED_GENERATION + 1 }] },
    { lost_tails: [{ ...TAIL, from_offset: 2 ** 40 }] },
    { lost_tails: [{ ...TAIL, from_offset: -1 }] },
    { lost_tails: [{ ...TAIL, partition: 2 ** 31 }] },
    { lost_tails: [{ ...TAIL, leader_epoch: 2 ** 31 }] },
  ])('given %j, then it is malformed', (over) => {
    expect(() => read(over)).toThrow();
  });

  it('given the key of another topic, then it is malformed', () => {
    expect(() => read({}, 'posthorn:generation:dlq')).toThrow('topic');
  });

  it('given the highest generation that is read, then as many follow that have positions, without a marker', () => {
    const { generation } = read({ generation: MAX_MARKED_GENERATION });
    expect(MAX_GENERATION - generation).toBeGreaterThanOrEqual(MAX_MARKED_GENERATION);
    expect(positionOf(MAX_GENERATION, 0)).toBeGreaterThan(positionOf(generation, 0));
    expect(isMarkable({ ...MARKER, generation })).toBe(true);
    expect(isMarkable({ ...MARKER, generation: generation + 1 })).toBe(false);
  });
});
