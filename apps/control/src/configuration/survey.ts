import type { Queryable } from '#common/postgres/database.js';
import { type ConfigurationRow, rowPages, rowsByIds } from './rows.js';
import type { TopicEntry } from './topic-entries.js';
import type { FollowedTopic } from './topics.js';

/** Ids by the action that makes a topic equal to the database. */
export interface Survey {
  /** The topic lacks the row, has it older or unsigned, or its last record is one that is ignored. */
  readonly publish: string[];
  /** The topic has a newer version than the row. */
  readonly newer: string[];
  /** The database deleted it, and the topic has it, or has a record that is ignored after the tombstone. */
  readonly bury: string[];
  /** A record of an earlier release whose key the database does not know. */
  readonly orphans: string[];
}

/** The action for a row. @param isSigning records are signed now */
export function needOf(
  entry: TopicEntry | undefined,
  row: ConfigurationRow,
  isSigning: boolean,
): 'publish' | 'newer' | undefined {
  if (entry === undefined) return 'publish';
  if (entry.version > row.version) return 'newer';
  const isUpToDate = entry.isLive && entry.version === row.version && entry.isNumbered;
  return isUpToDate && !entry.isShadowed && (entry.isSigned || !isSigning) ? undefined : 'publish';
}

/** The action for an entry without a row, in a database that knows every change of the topic. */
export function needOfRowless(
  { isLive, isShadowed, isSigned, isNumbered }: TopicEntry,
  isSigning: boolean,
): 'bury' | 'orphans' | undefined {
  if (isLive) return isNumbered ? 'bury' : 'orphans';
  // Readers that require signatures would ignore an unsigned tombstone, and the deleted key would come back.
  return isShadowed || (isSigning && !isSigned) ? 'bury' : undefined;
}

/** Compares a whole topic, read to its end, with the database. */
export async function surveyAll(db: Queryable, followed: FollowedTopic, isSigning: boolean): Promise<Survey> {
  const { topic, entries } = followed;
  const survey = emptySurvey();
  // Keys first: one that is created while the rows are read is then not taken for one without a row.
  const rowless = new Set(entries.keys());
  for await (const rows of rowPages(db, topic)) {
    for (const row of rows) {
      rowless.delete(row.id);
      note(survey, row.id, needOf(entries.get(row.id), row, isSigning));
    }
  }
  noteRowless(survey, { keys: rowless, entries, isSigning });
  return { ...survey, newer: await stillNewer(db, followed, survey.newer) };
}

/** Compares some keys. */
export async function surveyKeys(
  db: Queryable,
  followed: FollowedTopic,
  { keys, isSigning }: { keys: readonly string[]; isSigning: boolean },
): Promise<Survey> {
  const { topic, entries } = followed;
  const survey = emptySurvey();
  const rows = await rowsByIds(db, topic, keys);
  for (const row of rows) note(survey, row.id, needOf(entries.get(row.id), row, isSigning));
  const found = new Set(rows.map(({ id }) => id));
  noteRowless(survey, { keys: keys.filter((key) => !found.has(key)), entries, isSigning });
  return { ...survey, newer: await stillNewer(db, followed, survey.newer) };
}

/** A row may have been changed, and its record read, after the row was read: it is read again. */
async function stillNewer(
  db: Queryable,
  { topic, entries }: FollowedTopic,
  keys: readonly string[],
): Promise<string[]> {
  if (keys.length === 0) return [];
  const versions = new Map(keys.map((key) => [key, entries.get(key)?.version ?? 0]));
  const rows = await rowsByIds(db, topic, keys);
  return rows.filter(({ id, version }) => version < (versions.get(id) ?? 0)).map(({ id }) => id);
}

function noteRowless(
  survey: Survey,
  { keys, entries, isSigning }: { keys: Iterable<string>; entries: FollowedTopic['entries']; isSigning: boolean },
): void {
  for (const key of keys) {
    const entry = entries.get(key);
    if (entry !== undefined) note(survey, key, needOfRowless(entry, isSigning));
  }
}

function note(survey: Survey, key: string, need: keyof Survey | undefined): void {
  if (need !== undefined) survey[need].push(key);
}

function emptySurvey(): Survey {
  return { publish: [], newer: [], bury: [], orphans: [] };
}
