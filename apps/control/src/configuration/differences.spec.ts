import { differencesOf } from './differences.js';

const record = (version: number, value: object) => ({ version, change: undefined, value: { version, ...value } });
const row = (version: number, value: object) => ({ version, value: { version, ...value } });
const tombstone = (version: number) => ({ version, change: undefined, value: undefined });

const between = (records: Record<string, ReturnType<typeof record>>, rows: Record<string, ReturnType<typeof row>>) =>
  differencesOf(new Map(Object.entries(records)), new Map(Object.entries(rows))).map(({ key, kind, fields }) => ({
    key,
    kind,
    fields,
  }));

describe('differencesOf', () => {
  it('given the same content, whatever the order of names, then there is none', () => {
    const [a, b] = [
      { policy: { x: 1, y: [2] }, copy: { age: 1 } },
      { copy: { age: 1 }, policy: { y: [2], x: 1 } },
    ];
    expect(between({ k: record(1, a) }, { k: row(1, b) })).toEqual([]);
  });

  it('given other fields, then each is named, those of the copy too', () => {
    const records = { k: record(2, { url: 'a', copy: { description: 'x', age: 1 } }) };
    const rows = { k: row(1, { url: 'b', copy: { description: 'y', age: 1 } }) };
    expect(between(records, rows)).toEqual([{ key: 'k', kind: 'differs', fields: ['version', 'url', 'description'] }]);
  });

  it('given a record of an earlier release, then the fields it lacks are no difference', () => {
    expect(between({ k: record(1, { url: 'a' }) }, { k: row(1, { url: 'a', copy: { age: 1 } }) })).toEqual([]);
  });

  it('given keys of one side only, tombstones counting as none, then it says which side has them', () => {
    expect(between({ a: record(1, {}), b: tombstone(2) as never }, { b: row(1, {}), c: row(1, {}) })).toEqual([
      { key: 'b', kind: 'only_in_database', fields: [] },
      { key: 'c', kind: 'only_in_database', fields: [] },
      { key: 'a', kind: 'only_on_topic', fields: [] },
    ]);
  });
});
