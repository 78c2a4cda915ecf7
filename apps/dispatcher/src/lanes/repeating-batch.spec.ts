import { beforeEach, describe, expect, it } from '@jest/globals';
import '../../../../test/support/quiet.js';
import { FencedError } from '#common/postgres/lane-store.js';
import { RepeatingBatch } from './repeating-batch.js';

let statements: string[][];
let failures: Error[];
let ending: AbortController;
let fencings: number;

beforeEach(() => {
  [statements, failures, ending, fencings] = [[], [], new AbortController(), 0];
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
      return inputs.map((input) => input.toUpperCase());
    },
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
    failures.push(new Error('the server is away'));
    const one = batch();
    const asked = ask(one, 'a b');
    await new Promise(setImmediate);

    expect(await Promise.all([asked, one.add('c')])).toEqual([['A', 'B'], 'C']);
    expect(statements).toEqual([['a', 'b'], ['a', 'b'], ['c']]);
  });

  it('given another owner, then it says so once, and answers nobody', async () => {
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
