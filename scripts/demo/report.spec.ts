import { ENDPOINTS } from './endpoints.ts';
import { disorder, missing, type Row, table } from './report.ts';

const [healthy, , , slow, dead] = ENDPOINTS;
if (!healthy || !slow || !dead) throw new Error('the demo has five endpoints');

const score = {
  delivered: 3,
  duplicates: 0,
  retried: 0,
  disorder: 0,
  latenciesMs: [1, 2, 1_500],
  expected: 3,
  dead: 0,
};
const row = (endpoint: typeof healthy, change: Partial<Row> = {}): Row => ({ ...endpoint, ...score, ...change });

describe('the report', () => {
  it.each([
    { given: 'all delivered', row: row(healthy), left: [] },
    { given: 'one missing', row: row(healthy, { delivered: 2 }), left: ['healthy missed 1 of 3 events'] },
    { given: 'all given up by the dead one', row: row(dead, { delivered: 0, dead: 3 }), left: [] },
    { given: 'one still tried', row: row(dead, { dead: 2 }), left: ['dead has 2 dead letters, 3 were expected'] },
  ])('given $given, then missing is $left', ({ row, left }) => {
    expect(missing([row])).toEqual(left);
  });

  it('given disorder, then it counts only at endpoints with ordering', () => {
    const rows = [row(healthy, { disorder: 2 }), row(slow, { disorder: 2 })];
    expect(disorder(rows)).toEqual(['healthy got 2 events after a later one of their resource']);
  });

  it('given rows, then columns are aligned and times readable', () => {
    const lines = table([row(healthy), row(slow, { latenciesMs: [] })]).split('\n');
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
    expect(lines[2]).toMatch(/2\.0 ms +1\.50 s$/);
    expect(lines[3]).toMatch(/not asked +– +–$/);
  });
});
