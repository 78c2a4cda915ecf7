import type { OutRecord } from '#common/records/record.js';
import { writeAll } from './writes.js';

const record = (bytes: number): OutRecord => ({ topic: 't', key: null, value: Buffer.alloc(bytes) });
const KIB = 1_024;

async function portionsOf(...sizes: number[]): Promise<number[][]> {
  const portions: number[][] = [];
  const write = async (records: readonly OutRecord[]) => {
    portions.push(records.map(({ value }) => value?.length ?? 0));
  };
  await writeAll({ write }, sizes.map(record));
  return portions;
}

describe('writeAll', () => {
  it('given few bytes, then one write has all records', async () => {
    expect(await portionsOf(1, 2, 3)).toEqual([[1, 2, 3]]);
  });

  it('given many bytes, then writes are small and in order, and a large record has its own write', async () => {
    expect(await portionsOf(200 * KIB, 50 * KIB, 50 * KIB, 900 * KIB, 1)).toEqual([
      [200 * KIB, 50 * KIB],
      [50 * KIB],
      [900 * KIB],
      [1],
    ]);
  });

  it('given no records, then nothing is written', async () => {
    expect(await portionsOf()).toEqual([]);
  });
});
