import { Inject, Injectable, Logger } from '@nestjs/common';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import {
  CHANGE_HEADER,
  type ChangeNumber,
  decodeChange,
  nextVersion,
  UNNUMBERED,
} from '#common/records/configuration-change.js';
import { isMarkerKey } from '#common/records/marker.js';
import type { OutRecord } from '#common/records/record.js';
import { knownChanges } from '../changes/changes.js';
import { CONFIGURATION_TOPICS } from '../changes/configuration-topics.js';
import { nextVersionSql } from '../changes/next-version.js';
import { tombstone } from '../changes/tombstone.js';
import { Comparer } from './comparer.js';
import { generationMarkers } from './generation-records.js';
import { markers } from './marker.js';
import { orphanedKeys, rewrittenRecords } from './metrics.js';
import { RewritePauses } from './rewrite-pauses.js';
import { TABLES } from './rows.js';
import { ConfigurationSigner } from './signer.js';
import { type Survey, surveyAll, surveyKeys } from './survey.js';
import { ConfigurationTopics, type FollowedTopic } from './topics.js';

const PAGE = 500;
/** Most suspects that one call of `round` checks. A suspect is a key whose last record may be wrong. */
const SUSPECTS_PER_ROUND = 100;

/**
 * Makes the configuration topics equal to the database. It begins when the comparer has shown that the database knows
 * every change of the topics. Only the outbox relay uses it.
 */
@Injectable()
export class ConfigurationPublisher {
  private readonly logger = new Logger(ConfigurationPublisher.name);
  private readonly pauses = new RewritePauses();
  private isPrepared = false;
  private hasOrphans = false;
  /** `timesReplaced` of the topics at their last comparison. */
  private timesReplaced = 0;

  constructor(
    private readonly database: Database,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    private readonly topics: ConfigurationTopics,
    private readonly comparer: Comparer,
    private readonly signer: ConfigurationSigner,
  ) {}

  /** This process has just become the outbox relay. */
  begin(): void {
    this.isPrepared = false;
  }

  /** @param listener called when {@link round} has something to do */
  onWork(listener: () => void): void {
    this.topics.onSuspect(listener);
  }

  /**
   * First compares the topics with the database and publishes missing records. Later calls replace records that differ from
   * the database or lack a signature.
   *
   * @returns whether configuration may be published: the database knows every change of the topics
   */
  async round(db: Queryable): Promise<boolean> {
    if (this.comparer.isAhead || this.topics.timesReplaced !== this.timesReplaced) this.isPrepared = false;
    if (!this.isPrepared) this.isPrepared = await this.prepare(db);
    else for (const topic of this.topics.all) await this.mend(db, topic);
    return this.isPrepared;
  }

  /**
   * Whether the topics are still the logs that were prepared. A marker in another log would complete it without its records.
   *
   * @throws when no broker answers
   */
  async isPresent(): Promise<boolean> {
    await this.topics.checkLogs();
    return this.topics.timesReplaced === this.timesReplaced;
  }

  /** Signs records of configuration, and appends markers with the highest sequence among them. */
  async finish(records: readonly OutRecord[]): Promise<readonly OutRecord[]> {
    const own = records.filter(({ topic }) => isConfiguration(topic));
    if (own.length === 0) return records;
    const others = records.filter(({ topic }) => !isConfiguration(topic));
    const highest = highestOf(own);
    // Outbox records of an earlier release have no numbers: the markers stay as they are.
    const marked = highest.sequence === 0 ? [] : await this.signedMarkers(highest);
    return [...others, ...(await this.signer.sign(own)), ...marked];
  }

  private async prepare(db: Queryable): Promise<boolean> {
    this.timesReplaced = this.topics.timesReplaced;
    await this.topics.catchUp();
    if ((await this.comparer.compare(db)).kind === 'ahead') return false;
    let records = 0;
    this.hasOrphans = false;
    const { latest } = await knownChanges(db, 0);
    for (const topic of this.topics.all) {
      topic.forgetSuspects();
      const survey = await surveyAll(db, topic, this.signer.isSigning);
      this.noteOrphans(topic, survey);
      records += await this.write(db, topic, survey);
    }
    if (!(await this.isPresent())) return false;
    await this.producer.write(await this.signedMarkers(latest));
    await this.producer.write(await this.signer.sign(await generationMarkers(db, this.topics.generations)));
    this.logger.log({ records }, 'configuration.published');
    return true;
  }

  /** Writes the database's record again for keys whose last record may be wrong. Otherwise compaction would keep the wrong one. */
  private async mend(db: Queryable, topic: FollowedTopic): Promise<void> {
    const suspects = topic.takeSuspects(SUSPECTS_PER_ROUND);
    if (suspects.length === 0) return;
    const keys = suspects.filter((key) => this.pauses.take(`${topic.topic}/${key}`));
    topic.suspectAgain(suspects.filter((key) => !keys.includes(key)));
    try {
      await this.mendKeys(db, topic, keys);
    } catch (error) {
      topic.suspectAgain(keys);
      throw error;
    }
  }

  private async mendKeys(db: Queryable, topic: FollowedTopic, keys: readonly string[]): Promise<void> {
    const [markerKeys, rowKeys] = [keys.filter(isMarkerKey), keys.filter((key) => !isMarkerKey(key))];
    const survey = await surveyKeys(db, topic, { keys: rowKeys, isSigning: this.signer.isSigning });
    for (const key of survey.newer) await this.outnumber(topic, key);
    const records = (await this.write(db, topic, survey)) + (await this.mendMarkers(db, topic, markerKeys));
    if (records === 0) return;
    rewrittenRecords.inc({ topic: topic.topic }, records);
    this.logger.warn({ topic: topic.topic, records }, 'configuration.rewritten');
  }

  /** Markers have no row: their content comes from the database's numbers. @returns the number of written markers */
  private async mendMarkers(db: Queryable, { topic }: FollowedTopic, keys: readonly string[]): Promise<number> {
    if (keys.length === 0 || !(await this.isPresent())) return 0;
    const { latest } = await knownChanges(db, 0);
    const generations = await this.signer.sign(await generationMarkers(db, this.topics.generations));
    const all = [...(await this.signedMarkers(latest)), ...generations];
    const records = all.filter((record) => record.topic === topic && keys.includes(String(record.key)));
    await this.producer.write(records);
    return records.length;
  }

  /** @returns how many records were written */
  private async write(db: Queryable, { topic, entries }: FollowedTopic, { publish, bury }: Survey): Promise<number> {
    for (const ids of pages(publish)) {
      await this.producer.write(await this.signer.sign(await TABLES[topic].recordsOf(db, ids)));
    }
    for (const ids of pages(bury)) {
      const tombstones = ids.map((id) => {
        const { version = 0, isLive = false } = entries.get(id) ?? {};
        return tombstone(topic, id, { ...UNNUMBERED, version: isLive ? nextVersion(version) : version });
      });
      await this.producer.write(await this.signer.sign(tombstones));
    }
    return publish.length + bury.length;
  }

  /**
   * The topic has a version that this database never gave, so another program wrote that record. The row gets a higher
   * version.
   */
  private async outnumber({ topic, entries }: FollowedTopic, key: string): Promise<void> {
    const version = entries.get(key)?.version ?? 0;
    this.logger.error({ topic, key, version }, 'configuration.foreign_version');
    const { table, announce } = TABLES[topic];
    await this.database.transaction(async (tx) => {
      await tx.query(`UPDATE ${table} SET version = ${nextVersionSql('$2')} WHERE id = $1 AND version <= $2`, [
        key,
        version,
      ]);
      await announce(tx, key);
    });
  }

  private noteOrphans({ topic }: FollowedTopic, { orphans }: Survey): void {
    orphanedKeys.set({ topic }, orphans.length);
    if (orphans.length === 0) return;
    this.hasOrphans = true;
    this.logger.error({ topic, keys: orphans.length, some: orphans.slice(0, 10) }, 'configuration.orphans');
  }

  /** A signed marker states that all records of the topic are signed. Control cannot sign orphans: then it stays unsigned. */
  private async signedMarkers(change: ChangeNumber): Promise<readonly OutRecord[]> {
    return this.hasOrphans ? markers(change) : this.signer.sign(markers(change));
  }
}

export function isConfiguration(topic: string): boolean {
  return CONFIGURATION_TOPICS.some((name) => name === topic);
}

function highestOf(records: readonly OutRecord[]): ChangeNumber {
  return records.map(changeOf).reduce((best, one) => (one.sequence > best.sequence ? one : best), UNNUMBERED);
}

function changeOf({ headers }: OutRecord): ChangeNumber {
  const header = headers?.[CHANGE_HEADER];
  try {
    return decodeChange(header === undefined ? undefined : Buffer.from(header)) ?? UNNUMBERED;
  } catch {
    // An earlier release enqueued this record with a sequence out of range. Readers ignore it, and the key is written again.
    return UNNUMBERED;
  }
}

function* pages(ids: readonly string[]): Generator<string[]> {
  for (let from = 0; from < ids.length; from += PAGE) yield ids.slice(from, from + PAGE);
}
