import '../../../../test/support/quiet.js';
import fc from 'fast-check';
import { COMPARISONS, nextStep, persistBatch, SetAside } from './persist-batch.js';

const withCode = (code: string) => Object.assign(new Error('boom'), { code });
const NO_BYTES = withCode('22021');

/** A table of numbers: the statement stores all of them, or fails as `fault` says. */
class Table {
  readonly stored: number[] = [];
  readonly waits: number[] = [];
  rehearsed: number[] = [];
  statements = 0;
  isEnded = false;
  neighbours: number[] = [];

  constructor(private readonly fault: (items: readonly number[], statement: number) => Error | undefined) {}

  persist(items: readonly number[]) {
    return persistBatch(items, {
      name: 'test',
      run: async (some) => {
        const error = this.fault(some, ++this.statements);
        if (error) throw error;
        this.stored.push(...some);
        return some.map((item) => item * 10);
      },
      rehearse: async (item) => {
        this.rehearsed.push(item);
        const error = this.fault([item], this.statements);
        if (error) throw error;
      },
      neighbours: () => this.neighbours,
      isEnded: () => this.isEnded,
      onWait: () => undefined,
      describe: (item) => ({ item }),
      sleep: async (ms) => void this.waits.push(ms),
    });
  }
}

const ofRows = (bad: ReadonlySet<number>, error: Error) => (items: readonly number[]) =>
  items.some((item) => bad.has(item)) ? error : undefined;
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('nextStep', () => {
  const [row, wait, unknown] = [{ kind: 'row' }, { kind: 'wait', reason: 'timeout' }, { kind: 'unknown' }] as const;
  it.each([
    { meaning: wait, items: 9, comparisons: 0, next: 'wait' },
    { meaning: wait, items: 1, comparisons: COMPARISONS, next: 'wait' },
    { meaning: row, items: 2, comparisons: 0, next: 'split' },
    { meaning: row, items: 1, comparisons: 0, next: 'set_aside' },
    { meaning: unknown, items: 2, comparisons: COMPARISONS, next: 'split' },
    { meaning: unknown, items: 1, comparisons: COMPARISONS - 1, next: 'compare' },
    { meaning: unknown, items: 1, comparisons: COMPARISONS, next: 'set_aside' },
  ])('given $meaning.kind, $items items and $comparisons comparisons, then $next', ({ next, ...given }) => {
    expect(nextStep(given.meaning, given.items, given.comparisons)).toBe(next);
  });
});

describe('persistBatch', () => {
  it('given any batch with any bad rows, then exactly those are set aside, in few statements, and order is kept', async () => {
    const batches = fc.integer({ min: 1, max: 400 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        bad: fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength: 40 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(batches, async ({ size, bad }) => {
        const isBad = new Set(bad);
        const table = new Table(ofRows(isBad, NO_BYTES));
        const results = await table.persist(upTo(size));
        expect(results?.map((result) => result instanceof SetAside)).toEqual(upTo(size).map((item) => isBad.has(item)));
        const good = upTo(size).filter((item) => !isBad.has(item));
        expect(table.stored).toEqual(good);
        expect(results?.filter((result) => !(result instanceof SetAside))).toEqual(good.map((item) => item * 10));
        expect(table.statements).toBeLessThanOrEqual(1 + 2 * bad.length * Math.ceil(Math.log2(size)) + bad.length);
      }),
    );
  });

  it('given a good batch, then it is one statement', async () => {
    const table = new Table(() => undefined);
    expect(await table.persist([1, 2])).toEqual([10, 20]);
    expect([table.statements, table.waits]).toEqual([1, []]);
  });

  it('given a server that is away, then the batch is repeated whole, with a growing wait of at most 2 s', async () => {
    const table = new Table((_, statement) => (statement <= 7 ? withCode('28P01') : undefined));
    expect(await table.persist([1, 2, 3])).toEqual([10, 20, 30]);
    expect(table.waits).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
    expect(table.statements).toBe(8);
  });

  it('given the end of the wait, then there is no result, and nothing more is asked', async () => {
    const table = new Table(() => withCode('57P03'));
    const waiting = table.persist([1]);
    table.isEnded = true;
    expect(await waiting).toBeUndefined();
    expect(table.statements).toBe(1);
  });

  it('given an unknown error of one row, then it is set aside when others succeed after each failure', async () => {
    const table = new Table(ofRows(new Set([2]), new Error('boom')));
    const results = await table.persist([1, 2, 3, 4]);
    expect(results?.[1]).toMatchObject({ why: 'unknown' });
    expect(table.stored).toEqual([1, 3, 4]);
    expect(table.rehearsed).toHaveLength(COMPARISONS);
  });

  it('given an unknown error of every row, then nothing is set aside, and all are stored when it has passed', async () => {
    const table = new Table((_, statement) => (statement <= 20 ? withCode('XX000') : undefined));
    expect(await table.persist(upTo(8))).toEqual(upTo(8).map((item) => item * 10));
    expect(table.stored).toEqual(upTo(8));
  });

  it('given a single row with an unknown error, then it waits until rows behind it succeed', async () => {
    const table = new Table((items, statement) => {
      if (statement === 10) table.neighbours = [7];
      return items.includes(1) ? new Error('boom') : undefined;
    });
    expect(await table.persist([1])).toMatchObject([{ why: 'unknown' }]);
    expect(table.statements).toBe(10 + COMPARISONS);
    expect(table.rehearsed).toEqual([7, 7, 7]);
  });
});
