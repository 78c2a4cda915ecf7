import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { apiKeyRecordSchema } from '#common/records/api-key-record.js';
import type { ChangeNumber } from '#common/records/configuration-change.js';
import { readEndpoint } from '#common/records/endpoint-record.js';
import { isMarkerKey } from '#common/records/marker.js';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { atMost } from '#common/timing/timing.js';
import { CONFIGURATION_TOPICS, type ConfigurationTopic } from '../changes/configuration-topics.js';
import { TopicEntries } from './topic-entries.js';

/** Keys whose last record may have to be written again; beyond it, the next takeover finds them. */
const MAX_SUSPECTS = 10_000;

/** Longest wait for the records that the topics have at a moment; the caller asks again. */
const CATCH_UP_MS = 10_000;

/** Reads the version of a value. @throws when it is malformed */
const VERSION_OF: Readonly<Record<ConfigurationTopic, (key: string, value: Buffer) => number>> = {
  [ENDPOINTS_TOPIC]: (key, value) => readEndpoint(key, value).version,
  [API_KEYS_TOPIC]: (key, value) => {
    const record = apiKeyRecordSchema.parse(JSON.parse(value.toString()));
    if (record.id !== key) throw new Error('the record is of another key');
    return record.version;
  },
};

/** One topic of configuration as its readers see it, and which of its keys look wrong. */
export class FollowedTopic {
  readonly entries = new TopicEntries();
  private readonly suspects = new Set<string>();
  private readonly table: ConfigurationTable;

  constructor(
    kafka: KafkaClient,
    readonly topic: ConfigurationTopic,
    private readonly listener: {
      onSuspect(): void;
      onReplaced(): void;
      onOtherMarker(key: string, value: Buffer | null): void;
    },
  ) {
    this.table = new ConfigurationTable(kafka, {
      topic,
      apply: (record) => this.take(record, kafka.settings.trust?.verifier !== undefined),
      onMarker: ({ change }) => this.entries.noteChange(change),
      onIgnored: (key) => this.suspect(key, true),
      onOtherMarker: (key, value) => listener.onOtherMarker(key, value),
      onReplaced: () => {
        this.entries.clear();
        listener.onReplaced();
      },
    });
  }

  start(): Promise<void> {
    return this.table.start();
  }

  stop(): Promise<void> {
    return this.table.stop();
  }

  catchUp(): Promise<void> {
    return this.table.catchUp();
  }

  checkLog(): Promise<void> {
    return this.table.checkLog();
  }

  /** @returns up to `limit` keys that looked wrong since they were last taken */
  takeSuspects(limit: number): string[] {
    const keys = [...this.suspects].slice(0, limit);
    for (const key of keys) this.suspects.delete(key);
    return keys;
  }

  /** The whole topic is compared now, which covers all suspected keys. */
  forgetSuspects(): void {
    this.suspects.clear();
  }

  /** Keeps keys for a later round, and wakes no listener: a round that wakes the next one would take all of a core. */
  suspectAgain(keys: readonly string[]): void {
    for (const key of keys) this.addSuspect(key);
  }

  private take(record: ConfigurationRecord, areSigned: boolean): void {
    const version = record.value === null ? undefined : VERSION_OF[this.topic](record.key, record.value);
    const isNewest = this.entries.take(record, version);
    // A tombstone of an earlier release, or a stranger's; an older record; one that control did not sign.
    const isStrange = !isNewest || record.change === undefined || (areSigned && !record.isSigned);
    if (isStrange) this.suspect(record.key, false);
  }

  private suspect(key: string, isIgnored: boolean): void {
    // A marker is no entry: control writes it again from the database's numbers (publisher.ts).
    if (isIgnored && !isMarkerKey(key)) this.entries.shadow(key);
    if (this.addSuspect(key)) this.listener.onSuspect();
  }

  /** @returns false when there are too many already */
  private addSuspect(key: string): boolean {
    if (this.suspects.size >= MAX_SUSPECTS) return false;
    this.suspects.add(key);
    return true;
  }
}

/** The topics of configuration, as control follows them to compare them with its database. */
@Injectable()
export class ConfigurationTopics implements OnModuleInit, OnModuleDestroy {
  readonly all: readonly FollowedTopic[];
  private readonly listeners: (() => void)[] = [];
  private replacements = 0;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    readonly generations: GenerationMarkers,
  ) {
    const wake = () => {
      for (const listener of this.listeners) listener();
    };
    const listener = {
      onSuspect: wake,
      onReplaced: () => {
        this.replacements++;
        wake();
      },
      onOtherMarker: (key: string, value: Buffer | null) => generations.apply(key, value),
    };
    this.all = CONFIGURATION_TOPICS.map((topic) => new FollowedTopic(kafka, topic, listener));
  }

  /** How often one of the topics was made again, or lost records that were read. */
  get timesReplaced(): number {
    return this.replacements;
  }

  onModuleInit(): void {
    const starting = Promise.all(this.all.map((topic) => topic.start()));
    starting.then(() => this.started.resolve(), this.kafka.settings.onFatal);
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.all.map((topic) => topic.stop()));
  }

  /** Resolves when both were read to their ends for the first time. */
  get ready(): Promise<void> {
    return this.started.promise;
  }

  /**
   * Resolves when everything that is in them by now was read.
   *
   * @throws when a broker does not say where they end, or they are not read to there in time
   */
  async catchUp(): Promise<void> {
    const done = this.started.promise.then(() => Promise.all(this.all.map((topic) => topic.catchUp())));
    if (!(await atMost(CATCH_UP_MS, done)))
      throw new Error('the configuration topics were not read to their ends in time');
  }

  /**
   * Asks whether the topics are still the logs that are read. If not, {@link timesReplaced} has grown.
   *
   * @throws when a broker does not answer in time
   */
  async checkLogs(): Promise<void> {
    const done = Promise.all(this.all.map((topic) => topic.checkLog()));
    if (!(await atMost(CATCH_UP_MS, done))) throw new Error('no broker described the configuration topics in time');
  }

  /** The highest change that either of them names. */
  get highest(): ChangeNumber | undefined {
    return this.all
      .flatMap(({ entries }) => entries.highest ?? [])
      .reduce<ChangeNumber | undefined>((best, one) => (one.sequence > (best?.sequence ?? 0) ? one : best), undefined);
  }

  /** @param listener called when a key looks wrong, or a topic was made again */
  onSuspect(listener: () => void): void {
    this.listeners.push(listener);
  }
}
