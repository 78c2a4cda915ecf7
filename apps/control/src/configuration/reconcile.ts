import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import type { Database, Queryable } from '#common/postgres/database.js';
import { type ChangeNumber, nextVersion } from '#common/records/configuration-change.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { knownChanges, lockChanges, nextChange } from '../changes/changes.js';
import { CONFIGURATION_TOPICS, type ConfigurationTopic } from '../changes/configuration-topics.js';
import { nextVersionSql } from '../changes/next-version.js';
import { compareChanges } from '../changes/standing.js';
import { tombstone } from '../changes/tombstone.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { audit } from '../shared/audit.js';
import { parseApiKeyCopy, parseEndpointCopy } from './copies.js';
import { type Difference, differencesOf } from './differences.js';
import { removeRow, restoreRow, rowCopies } from './reconcile-rows.js';
import { TABLES } from './rows.js';
import { type CopiedRecord, copyTopics, type TopicCopy } from './topic-copy.js';

/** Which side wins: the topics, which the system has used since the backup, or the present database. */
export type Kept = 'topics' | 'database';

/** Findings and changes of a reconciliation. */
export interface Reconciliation {
  /** Whether the topics had changes that the database lacked. */
  readonly wasAhead: boolean;
  readonly differences: readonly (Difference & {
    readonly topic: ConfigurationTopic;
    /** Columns that a record of an earlier release lacks; they were kept, or got defaults. */
    readonly unknown: readonly string[];
  })[];
}

interface Options {
  readonly keep: Kept;
  readonly isDryRun: boolean;
}

/** Keeping the topics would delete rows, and nothing proves that the topic ever had them. */
export class IncompleteTopicError extends Error {
  constructor(topic: ConfigurationTopic, rows: number) {
    super(
      `${topic} lacks ${rows} rows of the database and control's marker, so it was made again or is new. Keep the database, or start control, which publishes them`,
    );
  }
}

/**
 * Makes the topics of configuration and the database one. All of it is one transaction of the database: with `topics` its
 * rows become equal to the topics; with `database` the outbox gets every difference under a higher version, and
 * control publishes it. Idempotent; control may run.
 *
 * @throws IncompleteTopicError when the topics are to be kept, and one of them was made again
 */
export async function reconcile(database: Database, kafka: KafkaClient, options: Options): Promise<Reconciliation> {
  const copy = await copyTopics(kafka, {
    [ENDPOINTS_TOPIC]: (key, text) => parseEndpointCopy(key, text, Date.now()),
    [API_KEYS_TOPIC]: parseApiKeyCopy,
  });
  return database.transaction(async (tx) => {
    await lockConfiguration(tx);
    const { highest } = copy;
    const wasAhead = await isAhead(tx, copy);
    // Before the first numbered change: new numbers are then above every number of the topics.
    if (!options.isDryRun && highest !== undefined) await adoptChange(tx, highest);
    if (!options.isDryRun) await tx.query('DELETE FROM outbox WHERE topic = ANY($1)', [CONFIGURATION_TOPICS]);
    const differences: Reconciliation['differences'][number][] = [];
    for (const topic of CONFIGURATION_TOPICS) {
      const records = copy.records.get(topic) ?? new Map<string, CopiedRecord>();
      const found = differencesOf(records, await rowCopies(tx, topic));
      refuseUnprovenDeletions(copy, topic, found, options);
      for (const difference of found) {
        const unknown = await apply(tx, { topic, records, difference, highest }, options);
        differences.push({ topic, ...difference, unknown });
      }
    }
    if (!options.isDryRun && differences.length > 0) await note(tx, options, differences.length);
    return { wasAhead, differences };
  });
}

function refuseUnprovenDeletions(
  { complete }: TopicCopy,
  topic: ConfigurationTopic,
  differences: readonly Difference[],
  { keep }: Options,
): void {
  if (keep !== 'topics' || complete.has(topic)) return;
  const { length } = differences.filter(({ kind }) => kind === 'only_in_database');
  if (length > 0) throw new IncompleteTopicError(topic, length);
}

/** Rows with a newer version on the topics count as well: changes of an earlier release have no numbers. */
async function isAhead(tx: Queryable, { highest, records }: TopicCopy): Promise<boolean> {
  const known = await knownChanges(tx, highest?.sequence ?? 0);
  if (compareChanges(highest, known).kind === 'ahead') return true;
  for (const topic of CONFIGURATION_TOPICS) {
    for (const [key, { version }] of await rowCopies(tx, topic)) {
      if ((records.get(topic)?.get(key)?.version ?? 0) > version) return true;
    }
  }
  return false;
}

/** No row of configuration changes until the transaction ends; reads continue. Health is locked first, as in all transactions. */
async function lockConfiguration(tx: Queryable): Promise<void> {
  await tx.query('LOCK TABLE endpoint_health, endpoints, endpoint_secrets, api_keys IN EXCLUSIVE MODE');
  await lockChanges(tx);
}

/** The database knows the change from now on. */
async function adoptChange(tx: Queryable, { sequence, id }: ChangeNumber): Promise<void> {
  await tx.query(
    `INSERT INTO configuration_changes (sequence, id) VALUES ($1, $2)
     ON CONFLICT (sequence) DO UPDATE SET id = excluded.id`,
    [sequence, id],
  );
}

interface Found {
  readonly topic: ConfigurationTopic;
  readonly records: ReadonlyMap<string, CopiedRecord>;
  readonly difference: Difference;
  readonly highest: ChangeNumber | undefined;
}

/** @returns columns that the record lacks */
async function apply(tx: Queryable, found: Found, { keep, isDryRun }: Options): Promise<readonly string[]> {
  if (keep === 'topics') return keepTopic(tx, found, isDryRun);
  if (!isDryRun) await keepRow(tx, found);
  return [];
}

async function keepTopic(tx: Queryable, found: Found, isDryRun: boolean): Promise<readonly string[]> {
  const { topic, records, difference } = found;
  const record = records.get(difference.key);
  if (difference.kind === 'only_in_database' || record === undefined) {
    if (!isDryRun) await removeRow(tx, topic, difference.key);
    return [];
  }
  return restoreRow(tx, topic, { key: difference.key, record, isDryRun });
}

/**
 * The version of a row that control alone has changed does not exceed the sequence of that change. So one above the highest sequence is also above deletions whose
 * tombstones were compacted, which running readers still remember.
 */
async function keepRow(tx: Queryable, { topic, difference, highest }: Found): Promise<void> {
  const { key, kind, topicVersion = 0 } = difference;
  if (kind === 'only_on_topic') {
    const change = await nextChange(tx, topic, key);
    await enqueueOutbox(tx, [tombstone(topic, key, { ...change, version: nextVersion(topicVersion) })]);
    return;
  }
  const { table, announce } = TABLES[topic];
  const floor = Math.max(topicVersion, highest?.sequence ?? 0);
  await tx.query(`UPDATE ${table} SET version = ${nextVersionSql('greatest(version, $2)')} WHERE id = $1`, [
    key,
    floor,
  ]);
  await announce(tx, key);
}

async function note(tx: Queryable, { keep }: Options, differences: number): Promise<void> {
  const detail = { keep, differences };
  await audit(tx, { actor: 'system', tenant: null, action: 'configuration.reconciled', subject: keep, detail });
}
