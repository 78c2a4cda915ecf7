import { reportOf } from './report.ts';

const found = {
  topic: 'endpoints' as const,
  key: 'ep_1',
  kind: 'differs' as const,
  fields: ['url', 'description'],
  topicVersion: 5,
  rowVersion: 3,
  unknown: [],
};
const report = (
  differences: Parameters<typeof reportOf>[0]['differences'],
  keep: 'topics' | 'database',
  isDryRun = false,
) => reportOf({ wasAhead: true, differences }, { keep, isDryRun }).slice(1);

describe('the report of reconcile', () => {
  it('given a difference, then the report names key, fields, both versions and action', () => {
    expect(report([found], 'topics')).toEqual([
      'endpoints ep_1  differs: url, description (versions: topic 5, database 3) → written to the database',
      '1 difference; the database has what the topics have.',
    ]);
  });

  it.each([
    { keep: 'topics' as const, kind: 'only_in_database' as const, outcome: 'deleted from the database' },
    { keep: 'topics' as const, kind: 'only_on_topic' as const, outcome: 'written to the database' },
    { keep: 'database' as const, kind: 'only_in_database' as const, outcome: 'published' },
    { keep: 'database' as const, kind: 'only_on_topic' as const, outcome: 'deleted from the topic' },
  ])('given $kind and --keep $keep, then it is $outcome', ({ keep, kind, outcome }) => {
    expect(report([{ ...found, kind, fields: [] }], keep)[0]).toMatch(new RegExp(`→ ${outcome}$`));
  });

  it('given a record of an earlier release, then the report lists the columns that the record lacks', () => {
    expect(report([{ ...found, unknown: ['description', 'created_at'] }], 'topics')[1]).toContain(
      'description, created_at',
    );
  });

  it('given a dry run or no difference, then the report says so', () => {
    expect(report([found], 'database', true).at(-1)).toBe('1 difference; nothing was changed (--dry-run).');
    expect(report([], 'database').at(-1)).toBe('No differences.');
  });
});
