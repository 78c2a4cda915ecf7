import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Admin, Consumer } from 'kafkajs';
import type { InRecord } from '../../../records/record.js';
import { atMost, delay } from '../../../timing/timing.js';
import type { LagWatch } from '../../lag/lag-watch.js';
import type { CompactedTable, CompactedTableOptions } from '../../port/compacted-table.js';
import { replacedLogs, setAsideRecords, truncatedLogs } from '../../port/metrics.js';
import type { KafkaSettings } from '../../port/settings.js';
import type { TopicIdentity } from '../../port/topic-identity.js';
import { createKafka, MAX_STARTING_MS } from '../connection/client.js';
import { endPredecessor } from '../consumer/predecessor.js';
import { BATCH_RUN, type BatchPayload } from '../patches/fetched-batch.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { hookedAssigner } from '../patches/patch-kafkajs.js';
import type { FetchedBounds } from '../wire/fetched-records.js';
import { CatchUps } from './catch-ups.js';
import { tableLag } from './table-lag.js';
import { TableLog } from './table-log.js';

/** How late a recreated topic is noticed. */
const WATCH_INTERVAL_MS = 3_000;
const RETRY_MS = 1_000;

/** Characters of a key in the log. */
const MAX_SHOWN = 256;

/**
 * Reads a compacted topic from its beginning and keeps following it, in a group of its own that commits nothing and is
 * deleted at the end: every process sees the whole table.
 */
export class KafkajsTable implements CompactedTable {
  private readonly logger = new Logger('CompactedTable');
  private readonly consumer: Consumer;
  private readonly admin: Admin;
  private readonly groupId: string;
  private readonly topic: string;
  /** By partition: the next offset to apply. A restart of the consumer reads again what was applied. */
  private readonly positions = new Map<number, number>();
  /** By partition: the end of what was fetched, control records included. */
  private readonly read = new Map<number, number>();
  /** Partitions with records at the start that have not all been applied. */
  private readonly behind = new Set<number>();
  /** By partition: the end of its log at the first fetch. */
  private readonly targets = new Map<number, number>();
  private readonly catchUps = new CatchUps();
  private rereads = 0;
  private readonly caughtUp = Promise.withResolvers<void>();
  private readonly lag: LagWatch;
  isCaughtUp = false;
  /** A consumer that crashes while it stops, because its broker is away, would restart without end. */
  private isStopping = false;
  /** The log that {@link positions} belong to. */
  private readonly log: TableLog;
  private timer: NodeJS.Timeout | undefined;
  /** Undefined until there is something to connect to. */
  private starting: Promise<void> | undefined;

  constructor(
    private readonly settings: KafkaSettings,
    private readonly options: CompactedTableOptions,
  ) {
    const kafka = createKafka(settings);
    this.topic = settings.prefix + options.topic;
    this.groupId = `${settings.prefix}table-${options.topic}-${randomUUID()}`;
    this.log = new TableLog(this.topic, (was, is) => this.replace(was, is));
    this.lag = tableLag(settings, options.topic, (partition) => this.positionOf(partition));
    this.admin = kafka.admin({ retry: { retries: 5 } });
    this.consumer = kafka.consumer({
      groupId: this.groupId,
      maxWaitTimeInMs: 1_000,
      allowAutoTopicCreation: false,
      partitionAssigners: [
        hookedAssigner({
          beforeJoin: (group) => this.beforeJoin(group),
          onOutOfRange: (_group, _topic, partition) => this.recoverPosition(partition),
        }),
      ],
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => !this.isStopping },
    });
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.isStopping) settings.onFatal(payload.error);
    });
  }

  problem(): string | undefined {
    return this.lag.problem();
  }

  async start(): Promise<void> {
    await this.settings.topicsReady;
    if (!this.isStopping) {
      this.starting = this.connectAndRun().catch((error: unknown) => {
        // After a stop the error has no effect.
        if (!this.isStopping) throw error;
      });
      await this.starting;
    }
    await this.caughtUp.promise;
  }

  checkLog(): Promise<void> {
    return this.log.check();
  }

  async catchUp(): Promise<void> {
    await this.caughtUp.promise;
    await this.log.check();
    const ends = new Map<number, number>();
    for (const { partition, high, low } of await this.admin.fetchTopicOffsets(this.topic)) {
      const [end, read] = [Number(high), this.read.get(partition) ?? 0];
      if (end < read) throw new Error(`${this.topic}/${partition} ends at ${end}, and was read up to ${read}`);
      if (end > Math.max(Number(low), read)) ends.set(partition, end);
    }
    await this.catchUps.add(ends);
  }

  private async connectAndRun(): Promise<void> {
    await this.admin.connect();
    await this.findEnds();
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    if (this.isStopping) return;
    this.lag.start();
    this.timer = setInterval(() => this.watch(), WATCH_INTERVAL_MS);
    await this.consumer.run({
      ...BATCH_RUN,
      eachBatch: (payload) => this.applyBatch(payload as unknown as BatchPayload),
    });
    this.checkCaughtUp();
  }

  /** A start that has begun is awaited, within a time limit: it would continue after the stop. A later start does nothing. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.lag.close();
    clearInterval(this.timer);
    if (this.starting === undefined) return;
    await atMost(MAX_STARTING_MS, this.starting);
    clearInterval(this.timer);
    await this.consumer.disconnect();
    try {
      await this.admin.deleteGroups([this.groupId]);
    } catch (error) {
      // The broker forgets an empty group without offsets by itself.
      this.logger.debug({ err: error }, 'table.group_not_deleted');
    }
    await this.admin.disconnect();
  }

  /** Where the table must be read to, to be caught up. Waits for a leader. */
  private async findEnds(): Promise<void> {
    for (; !this.isStopping; await delay(RETRY_MS)) {
      try {
        const ends = await this.admin.fetchTopicOffsets(this.topic);
        for (const { partition, high, low } of ends) {
          if (Number(high) > Number(low)) this.behind.add(partition);
        }
        if (ends.length > 0) return;
      } catch (error) {
        this.logger.warn({ err: error, topic: this.topic }, 'table.ends_unknown');
      }
    }
  }

  private async beforeJoin(group: KafkaGroup): Promise<void> {
    this.log.join(group);
    await this.watch();
    // No other process uses the group, so any other member is this one before a crash; it must not be waited for.
    await endPredecessor(group, this.settings.clientId);
  }

  /** Never rejects. */
  private async watch(): Promise<void> {
    if (!this.isStopping) await this.log.check().catch((error: unknown) => this.noteUnchecked(error));
  }

  private noteUnchecked(error: unknown): void {
    this.logger.debug({ err: error, topic: this.topic }, 'table.not_checked');
  }

  private replace(was: TopicIdentity, is: TopicIdentity): void {
    replacedLogs.inc({ topic: this.topic });
    this.logger.error({ topic: this.topic, was: was.topicId, is: is.topicId }, 'log.replaced');
    this.readAgain(Array.from({ length: Math.max(was.partitions, is.partitions) }, (_, partition) => partition));
  }

  /** Records were read and are gone, and other records get their offsets. */
  private readTruncated(partition: number): void {
    truncatedLogs.inc({ topic: this.topic });
    const position = this.positionOf(partition);
    this.logger.error({ topic: this.topic, partition, position }, 'log.truncated');
    this.readAgain([partition]);
  }

  /** The rows stay until a record replaces them. */
  private readAgain(partitions: readonly number[]): void {
    this.rereads++;
    for (const partition of partitions) {
      for (const offsets of [this.positions, this.read, this.targets]) offsets.delete(partition);
      this.log.forget(partition);
    }
    this.catchUps.reject(new Error(`${this.topic} is read again from its first record`));
    this.options.onReplaced?.();
    for (const partition of partitions) this.consumer.seek({ topic: this.topic, partition, offset: '0' });
  }

  /** The position is not in the log. kafkajs would reset it, and the table pass over all offsets up to it. Never rejects. */
  private async recoverPosition(partition: number): Promise<void> {
    await this.watch();
    if (this.positionOf(partition) > 0) this.readTruncated(partition);
    try {
      const offsets = await this.admin.fetchTopicOffsets(this.topic);
      const start = offsets.find((each) => each.partition === partition)?.low ?? '0';
      this.consumer.seek({ topic: this.topic, partition, offset: start });
    } catch (error) {
      this.logger.warn({ err: error, topic: this.topic, partition }, 'table.start_unknown');
    }
  }

  /** Called with every fetch of a partition, also with one that brought nothing to be seen. */
  private async applyBatch({ batch, resolveOffset }: BatchPayload): Promise<void> {
    const { partition, fetchedOffset, fetched } = batch;
    const from = Number(fetchedOffset);
    const { rereads } = this;
    const { records, next, ...epochs } = await fetched.read(from, { topic: this.options.topic, partition });
    if (!(await this.isContinued(partition, epochs.firstLeaderEpoch))) return;
    await this.options.prepare?.(records.filter((record) => this.isNew(record)));
    // While they were prepared the topic may have been made again: they are records of the former log.
    if (rereads !== this.rereads) return;
    for (const record of records) this.applyRecord(record);
    if (next > from) resolveOffset(String(next - 1));
    if (next >= this.positionOf(partition)) this.log.noteEpoch(partition, epochs.leaderEpoch);
    this.noteProgress(partition, next, fetched.bounds);
  }

  /** @returns false when the fetch must be repeated */
  private async isContinued(partition: number, leaderEpoch: number | undefined): Promise<boolean> {
    try {
      const found = await this.log.compare(partition, this.positionOf(partition), leaderEpoch);
      if (found === 'truncated') this.readTruncated(partition);
      if (found !== 'unknown') return found === 'continued';
    } catch (error) {
      this.noteUnchecked(error);
    }
    await delay(RETRY_MS);
    return false;
  }

  private applyRecord(record: InRecord): void {
    const { partition, offset, key, oversized } = record;
    if (!this.isNew(record)) return;
    this.positions.set(partition, offset + 1);
    if (oversized !== undefined) this.reject(record, oversized);
    else if (key !== null) this.applyOne(record, key.toString());
  }

  private positionOf(partition: number): number {
    return Math.max(this.read.get(partition) ?? 0, this.positions.get(partition) ?? 0);
  }

  private isNew({ partition, offset }: InRecord): boolean {
    return offset >= (this.positions.get(partition) ?? 0);
  }

  private applyOne(record: InRecord, key: string): void {
    try {
      this.options.apply(key, record.value, record);
    } catch (error) {
      this.reject(record, error instanceof Error ? error.message : String(error));
    }
  }

  /** The key keeps its last good value. */
  private reject({ partition, offset, key }: InRecord, reason: string): void {
    const { topic } = this.options;
    setAsideRecords.inc({ topic });
    const shown = key?.toString().slice(0, MAX_SHOWN);
    this.logger.error({ topic, partition, offset, key: shown, reason }, 'table.record_rejected');
  }

  /**
   * The target is the high watermark, which includes records behind an open transaction. The end that an admin client gets
   * excludes them, and a table without them would count as caught up.
   */
  private noteProgress(partition: number, next: number, { highWatermark }: FetchedBounds): void {
    this.read.set(partition, next);
    this.catchUps.noteRead(partition, next);
    const target = this.targets.get(partition) ?? highWatermark;
    this.targets.set(partition, target);
    if (next < target || !this.behind.delete(partition)) return;
    this.checkCaughtUp();
  }

  private checkCaughtUp(): void {
    if (this.isCaughtUp || this.behind.size > 0) return;
    this.isCaughtUp = true;
    this.caughtUp.resolve();
  }
}
