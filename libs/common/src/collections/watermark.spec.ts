import fc from 'fast-check';
import { decodeFinished, encodeFinished } from '../domain/finished-runs.js';
import { Watermark } from './watermark.js';

/** The same thing, written to be obviously right: every offset's state, looked through from the start each time. */
class NaiveWatermark {
  private readonly states = new Map<number, 'begun' | 'finished'>();
  private next: number;

  constructor(
    private readonly start: number,
    private readonly restored: readonly number[],
  ) {
    this.next = start;
  }

  begin(offset: number): boolean {
    if (offset < this.next) return false;
    this.next = offset + 1;
    const isRestored = this.restored.includes(offset);
    this.states.set(offset, isRestored ? 'finished' : 'begun');
    return !isRestored;
  }

  pass(next: number): void {
    this.next = Math.max(this.next, next);
  }

  finish(offset: number): void {
    if (this.states.has(offset)) this.states.set(offset, 'finished');
  }

  get committable(): number {
    for (let offset = this.start; offset < this.next; offset++) if (this.states.get(offset) === 'begun') return offset;
    return this.next;
  }

  get unfinished(): number {
    return [...this.states.values()].filter((state) => state === 'begun').length;
  }

  finishedAbove(): number[] {
    const known = [...this.states].filter(([, state]) => state === 'finished').map(([offset]) => offset);
    const unread = this.restored.filter((offset) => !this.states.has(offset));
    return [...known, ...unread].filter((offset) => offset >= this.committable).sort((a, b) => a - b);
  }
}

type Step = { readonly begin: number } | { readonly finish: number } | { readonly pass: number };

/** Reads with gaps, some of them twice, and finishes in any order, some of them twice or of records never read. */
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ begin: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ finish: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ pass: fc.integer({ min: 0, max: 60 }) }),
  ),
  { maxLength: 150 },
);
const ascending = fc.uniqueArray(fc.nat(60), { maxLength: 20 }).map((offsets) => offsets.sort((a, b) => a - b));

describe('Watermark', () => {
  it('given any history, then it agrees with the naive one at every step', () => {
    fc.assert(
      fc.property(fc.nat(20), ascending, steps, (start, above, history) => {
        const restored = above.filter((offset) => offset >= start);
        const real = new Watermark(start, restored);
        const model = new NaiveWatermark(start, restored);
        for (const step of history) {
          if ('begin' in step) expect(real.begin(step.begin)).toBe(model.begin(step.begin));
          else if ('pass' in step) for (const each of [real, model]) each.pass(step.pass);
          else for (const each of [real, model]) each.finish(step.finish);
          expect(real.committable).toBe(model.committable);
          expect(real.unfinished).toBe(model.unfinished);
          expect(real.finishedAbove()).toEqual(model.finishedAbove());
        }
      }),
      { numRuns: 500 },
    );
  });

  it('given a long run finished in random order, then the watermark never passes an unfinished offset', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(Array.from({ length: 3_000 }, (_, index) => index)), (order) => {
        const watermark = new Watermark(0);
        for (let offset = 0; offset < 3_000; offset++) watermark.begin(offset);
        const open = new Set(Array.from({ length: 3_000 }, (_, index) => index));
        for (const [count, offset] of order.entries()) {
          watermark.finish(offset);
          open.delete(offset);
          if (count % 100 === 0) expect(watermark.committable).toBe(Math.min(3_000, ...open));
        }
        expect(watermark.committable).toBe(Math.min(3_000, ...open));
        expect(watermark.unfinished).toBe(open.size);
      }),
      { numRuns: 20 },
    );
  });

  it('given a restart from what was committed, then nothing that was finished is repeated, and all the rest is', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(Array.from({ length: 400 }, (_, index) => index)), (finished) => {
        const before = new Watermark(0);
        for (let offset = 0; offset < 400; offset++) before.begin(offset);
        for (const offset of finished) before.finish(offset);

        const offset = before.committable;
        const after = new Watermark(offset, decodeFinished(offset, encodeFinished(offset, before.finishedAbove())));

        const repeated = [];
        for (let next = offset; next < 400; next++) if (after.begin(next)) repeated.push(next);
        const done = new Set(finished);
        expect(repeated).toEqual(Array.from({ length: 400 }, (_, index) => index).filter((index) => !done.has(index)));
      }),
    );
  });

  it('given a second restart before the first one read on, then nothing is forgotten', () => {
    const first = new Watermark(5, [7, 9, 10]);
    first.begin(5);
    expect(first.finishedAbove()).toEqual([7, 9, 10]);
  });

  it('given a finish of what was never begun, then it does not count once it is read', () => {
    const watermark = new Watermark(0);
    watermark.begin(0);
    watermark.finish(3);
    expect(watermark.finishedAbove()).toEqual([]);
    watermark.begin(3);
    watermark.finish(0);
    expect(watermark.committable).toBe(3);
  });
});
