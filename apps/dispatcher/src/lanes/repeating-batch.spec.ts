import { beforeEach, describe, expect, it } from '@jest/globals';
import '../../../../test/support/quiet.js';
import { FencedError } from '#common/postgres/lane-store.js';
import { RepeatingBatch } from './repeating-batch.js';

let statements: string[][];
let failures: Error[];
let ending: AbortController;
let fencings: number;
let poison: Set<string>;
let poisonError: Error;
let rehearsed: string[];
const away = () => Object.assign(new Error('the server is away'), { code: '57P03' });

beforeEach(() => {
  [statements, failures, ending, fencings, poison, rehearsed] = [[], [], new AbortController(), 0, new Set(), []];
  poisonError = Object.assign(new Error('invalid byte sequence'), { code: '22021' });
});

/** Statements of letters; each answers them in capitals. */
function batch(bytes?: { most: number; of: (input: string) => number }): RepeatingBatch<string, string> {
  return new RepeatingBatch<string, string>({
    name: 'test',
    maxItems: 3,
    ...(bytes ? { bytes } : {}),
    run: async (inputs) => {
      statements.push([...inputs]);
      const failure = failures.shift();
      if (failure) throw failure;
      if (inputs.some((input) => poison.has(input))) throw poisonError;
      return inputs.map((input) => input.toUpperCase());
    },
    rehearse: async (input) => {
      rehearsed.push(input);
      if (poison.has(input)) throw new Error('boom');
    },
    sample: 'sample',
    laneOf: (input) => input,
    onFenced: () => void fencings++,
    ended: ending.signal,
  });
}

const ask = (of: RepeatingBatch<string, string>, letters: string) =>
  Promise.all(letters.split(' ').map((letter) => of.add(letter)));

describe('RepeatingBatch', () => {
  it('given more than a statement takes, then each gets its own answer, from as few statements as can be', async () => {
    expect(await ask(batch(), 'a b c d')).toEqual(['A', 'B', 'C', 'D']);
    expect(statements).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('given more bytes than a statement takes, then there are more statements, with at least one item each', async () => {
    await ask(batch({ most: 4, of: ({ length }) => length }), 'aa bb c dddddd e');

    expect(statements).toEqual([['aa', 'bb'], ['c'], ['dddddd'], ['e']]);
  });

  it('given a statement that fails, then it is repeated as it was before anything else is done', async () => {
    failures.push(away());
    const one = batch();
    const asked = ask(one, 'a b');
    await new Promise(setImmediate);

    expect(await Promise.all([asked, one.add('c')])).toEqual([['A', 'B'], 'C']);
    expect(statements).toEqual([['a', 'b'], ['a', 'b'], ['c']]);
  });

  it('given an input that PostgreSQL can never store, then it alone is set aside, and the others are stored', async () => {
    poison.add('b');
    const one = batch();
    const asked = ask(one, 'a b c');
    await new Promise(setImmediate);

    const [answers, next] = [await asked, await one.add('d')];
    expect([answers[0], answers[2], next]).toEqual(['A', 'C', 'D']);
    expect(answers[1]).toMatchObject({ why: 'row', error: { code: '22021' } });
    expect(statements.length).toBeLessThanOrEqual(1 + 2 * 2 + 1);
  });

  it('given an unknown error of one input, then it is set aside once a sample has succeeded after each failure', async () => {
    poison.add('a');
    poisonError = new Error('boom');

    expect((await ask(batch(), 'a'))[0]).toMatchObject({ why: 'unknown' });
    expect(rehearsed).toEqual(['sample', 'sample', 'sample']);
    expect(statements).toHaveLength(4);
  });

  it('given another owner, then it reports the fence once, and answers no input', async () => {
    failures.push(new FencedError('log'));
    let answers = 0;
    void batch()
      .add('a')
      .then(() => answers++);
    await new Promise(setImmediate);
    await new Promise(setImmediate);

    expect([fencings, answers, statements]).toEqual([1, 0, [['a']]]);
  });
});
