import { CATALOGUE, MIXED, ON_THREE_BROKERS } from './catalogue.mjs';
import { markdownTable } from './table.ts';

const figures = {
  ...{ acknowledged: 1_000, lost: 0, reportedLost: 0, outOfOrder: 0, duplicates: 2, duplicateBudget: 9 },
  ...{ staleRepeats: 1, longestStallMs: 1_260, healMs: 3_940 },
};
const row = {
  ...{ fault: 'zombie', seed: 1, brokers: 1, date: '2026-11-24T00:00:00Z', outcome: 'kept' as const },
  ...{ fired: 1, inFlight: 3, figures, reasons: [] },
};
const lastLine = (text: string) => text.split('\n').at(-1);

describe('the table of torture', () => {
  it('given a run, then its row has all figures', () => {
    expect(lastLine(markdownTable([row]))).toBe(
      '| `zombie`: a dispatcher frozen past its session goes on | 1000 | 1 | 3 | 0 | 0 | 2 / 9 | 1 | 1.3 s | 3.9 s | kept |',
    );
  });

  it('given runs on one broker and on three, then every run has a row', () => {
    const one = [...Object.keys(CATALOGUE), MIXED.name].map((fault) => ({ ...row, fault }));
    const three = ON_THREE_BROKERS.map((fault) => ({ ...row, fault, brokers: 3 }));
    const lines = markdownTable([...one, ...three]).split('\n');
    expect(lines).toHaveLength(2 + one.length + three.length);
    expect(lines.at(-1)).toContain('(one of 3 brokers)');
  });

  it('given a run without a verdict, then its row says so', () => {
    const { figures: _none, ...unjudged } = { ...row, outcome: 'broken' as const };
    expect(lastLine(markdownTable([unjudged]))).toMatch(/\| - \| - \| broken: no verdict \|$/);
  });
});
