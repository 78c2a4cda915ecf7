import type { CopiedRecord } from './topic-copy.js';

/** How a key of a topic and its row differ. */
export interface Difference {
  readonly key: string;
  readonly kind: 'only_on_topic' | 'only_in_database' | 'differs';
  /** Fields that differ, for `differs`. */
  readonly fields: readonly string[];
  readonly topicVersion: number | undefined;
  readonly rowVersion: number | undefined;
}

/** A row as its record would be. */
export interface RowCopy {
  readonly version: number;
  readonly value: unknown;
}

/**
 * Compares a topic with its table, key by key. Versions count as a difference: readers keep the highest.
 *
 * @param records by key, tombstones included
 * @param rows by key
 */
export function differencesOf(
  records: ReadonlyMap<string, CopiedRecord>,
  rows: ReadonlyMap<string, RowCopy>,
): Difference[] {
  const found: Difference[] = [];
  for (const [key, row] of rows) {
    const record = records.get(key);
    const versions = { topicVersion: record?.version, rowVersion: row.version };
    if (record?.value === undefined) found.push({ key, kind: 'only_in_database', fields: [], ...versions });
    else {
      const fields = differingFields(record.value, row.value);
      if (fields.length > 0) found.push({ key, kind: 'differs', fields, ...versions });
    }
  }
  for (const [key, { value, version }] of records) {
    if (value === undefined || rows.has(key)) continue;
    found.push({ key, kind: 'only_on_topic', fields: [], topicVersion: version, rowVersion: undefined });
  }
  return found;
}

/** Names of the fields that differ, those of `copy` included. A record of an earlier release has none of those. */
function differingFields(record: unknown, row: unknown): string[] {
  const [topic, database] = [flat(record), flat(row)];
  const names = new Set([...topic.keys(), ...database.keys()]);
  const hasCopy = [...topic.keys()].some((name) => name.startsWith(COPY));
  return [...names]
    .filter((name) => hasCopy || !name.startsWith(COPY))
    .filter((name) => topic.get(name) !== database.get(name))
    .map((name) => (name.startsWith(COPY) ? name.slice(COPY.length) : name));
}

const COPY = 'copy.';

function flat(value: unknown): Map<string, string> {
  const fields = Object.entries(value ?? {}).flatMap(([name, field]: [string, unknown]) =>
    name === 'copy'
      ? Object.entries(field ?? {}).map(([inner, one]) => [COPY + inner, one] as const)
      : [[name, field] as const],
  );
  return new Map(fields.map(([name, field]) => [name, canonical(field)]));
}

/** Objects with their names in order: PostgreSQL's jsonb does not keep the order they were written in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
