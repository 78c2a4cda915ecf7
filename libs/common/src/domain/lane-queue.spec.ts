import fc from 'fast-check';
import { LaneQueue } from './lane-queue.js';

interface Piece {
  readonly lane: string;
  readonly number: number;
}
type Step = 'add' | 'take' | 'done' | 'drop';

const lanes = ['a', 'b', 'c'] as const;
const steps = fc.array(fc.tuple(fc.constantFrom<Step>('add', 'add', 'take', 'take', 'done', 'drop'), fc.nat(1_000)));

describe('LaneQueue', () => {
  it('given any history, then a lane is busy with one piece at a time, in order, and none is lost', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const queue = new LaneQueue<Piece>();
        const waiting: Piece[] = [];
        const busy = new Set<string>();
        for (const [number, [step, pick]] of history.entries()) {
          if (step === 'add') {
            const piece = { lane: lanes[pick % 3] ?? 'a', number };
            queue.add(piece.lane, piece);
            waiting.push(piece);
          } else if (step === 'take') {
            const taken = queue.take();
            const ready = waiting.filter(({ lane }) => !busy.has(lane));
            if (taken === undefined) expect(ready).toEqual([]);
            else {
              expect(taken.work).toEqual(ready.find(({ lane }) => lane === taken.lane));
              waiting.splice(waiting.indexOf(taken.work), 1);
              busy.add(taken.lane);
            }
          } else if (step === 'done') {
            const lane = [...busy][pick % Math.max(1, busy.size)];
            if (lane !== undefined && busy.delete(lane)) queue.done(lane);
          } else {
            const matches = (piece: Piece) => piece.number % 3 === pick % 3;
            const dropped = queue.drop(matches);
            expect(new Set(dropped)).toEqual(new Set(waiting.filter(matches)));
            waiting.splice(0, waiting.length, ...waiting.filter((piece) => !matches(piece)));
          }
          expect(queue.size).toBe(waiting.length);
          expect(queue.isIdle).toBe(waiting.length === 0 && busy.size === 0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('given a lane with much work, then the others have their turn', () => {
    const queue = new LaneQueue<number>();
    for (let number = 0; number < 5; number++) queue.add('busy', number);
    queue.add('calm', 9);
    const order: string[] = [];
    for (let taken = queue.take(); taken !== undefined; taken = queue.take()) {
      order.push(taken.lane);
      queue.done(taken.lane);
    }
    expect(order.slice(0, 2)).toEqual(['busy', 'calm']);
    expect(order).toHaveLength(6);
  });
});
