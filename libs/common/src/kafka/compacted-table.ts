import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Admin, Consumer, EachBatchPayload } from 'kafkajs';
import { createKafka } from './client.js';
import type { KafkaGroup } from './kafkajs-group.js';
import { hookedAssigner } from './kafkajs-patches.js';
import { replacedLogs } from './metrics.js';
import { endPredecessor } from './predecessor.js';
import type { KafkaSettings } from './settings.js';
import { atMost, delay, MAX_STARTING_MS } from './timing.js';
import { isSameTopic, type TopicIdentity, type TopicState } from './topic-identity.js';

/** How late a recreated topic is noticed. */
const WATCH_INTERVAL_MS = 3_000;
const RETRY_MS = 1_000;

export interface CompactedTableOptions {
  /** Without prefix. */
  readonly topic: string;
  /** Called for each record in log order; null deletes the key. */
  readonly apply: (key: string, value: Buffer | null) => void;
}

/**
 * Reads a compacted topic from its beginning and keeps following it, in a group of its own that commits nothing and is
 * deleted at the end: every process sees the whole table.
 */
export class CompactedTable {
  private readonly logger = new Logger(CompactedTable.name);
  private readonly consumer: Consumer;
  private readonly admin: Admin;
  private readonly groupId: string;
  private readonly topic: string;
  /** By partition: the next offset to apply. A restart of the consumer reads again what was applied. */
  private readonly positions = new Map<number, number>();
  private readonly behind = new Map<number, number>();
  private readonly caughtUp = Promise.withResolvers<void>();
  private isReady = false;
  /** A consumer that crashes while it stops, its broker being away, would start again for ever. */
  private isStopping = false;
  private group: KafkaGroup | undefined;
  /** The log that {@link positions} belong to. */
  private identity: TopicIdentity | undefined;
  /** What the last check found. */
  private seen = '';
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
    this.admin = kafka.admin({ retry: { retries: 5 } });
    this.consumer = kafka.consumer({
      groupId: this.groupId,
      maxWaitTimeInMs: 1_000,
      allowAutoTopicCreation: false,
      partitionAssigners: [hookedAssigner({ beforeJoin: (group) => this.beforeJoin(group) })],
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => !this.isStopping },
    });
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.isStopping) settings.onFatal(payload.error);
    });
    this.consumer.on(this.consumer.events.END_BATCH_PROCESS, ({ payload }) => this.noteProgress(payload));
  }

  /** True once everything that was in the topic at the start has been applied. */
  get isCaughtUp(): boolean {
    return this.isReady;
  }

  /** Resolves when caught up, and never when it is stopped before; waits for brokers as long as it takes. */
  async start(): Promise<void> {
    await this.settings.topicsReady;
    if (!this.isStopping) {
      this.starting = this.connectAndRun().catch((error: unknown) => {
        // Whoever stops it meanwhile has no use for it.
        if (!this.isStopping) throw error;
      });
      await this.starting;
    }
    await this.caughtUp.promise;
  }

  private async connectAndRun(): Promise<void> {
    await this.admin.connect();
    await this.findEnds();
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    if (this.isStopping) return;
    this.timer = setInterval(() => this.watch(), WATCH_INTERVAL_MS);
    await this.consumer.run({ autoCommit: false, eachBatch: (payload) => this.applyBatch(payload) });
    this.checkCaughtUp();
  }

  /** What is only about to start does not; what has begun to is waited for, a while: it would go on behind our back. */
  async stop(): Promise<void> {
    this.isStopping = true;
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
          if (Number(high) > Number(low)) this.behind.set(partition, Number(high));
        }
        if (ends.length > 0) return;
      } catch (error) {
        this.logger.warn({ err: error, topic: this.topic }, 'table.ends_unknown');
      }
    }
  }

  private async beforeJoin(group: KafkaGroup): Promise<void> {
    this.group = group;
    await this.watch();
    // No other process uses the group, so any other member is this one before a crash; it must not be waited for.
    await endPredecessor(group, this.settings.clientId);
  }

  /**
   * A recreated topic is read from its first record. The rows of the former one stay until a record replaces them. Never
   * rejects.
   */
  private async watch(): Promise<void> {
    const { group } = this;
    if (group === undefined || this.isStopping) return;
    try {
      const state = (await group.cluster.topicIdentities([this.topic])).get(this.topic);
      await this.refreshLeaders(group, state);
      const former = this.identity;
      if (state === undefined || (former !== undefined && isSameTopic(state, former))) return;
      this.identity = state;
      if (former === undefined) return;
      replacedLogs.inc({ topic: this.topic });
      this.logger.error({ topic: this.topic, was: former.topicId, is: state.topicId }, 'log.replaced');
      this.positions.clear();
      for (const partition of state.leaders.keys()) this.consumer.seek({ topic: this.topic, partition, offset: '0' });
    } catch (error) {
      this.logger.debug({ err: error, topic: this.topic }, 'table.not_checked');
    }
  }

  /** kafkajs asks for leaders again after minutes, or after an error of a fetch; a partition without a leader has none. */
  private async refreshLeaders(group: KafkaGroup, state: TopicState | undefined): Promise<void> {
    const found = JSON.stringify(state ?? null);
    if (found === this.seen) return;
    await group.cluster.refreshMetadata();
    this.seen = found;
  }

  private async applyBatch({ batch }: EachBatchPayload): Promise<void> {
    for (const { offset, key, value } of batch.messages) {
      if (Number(offset) < (this.positions.get(batch.partition) ?? 0)) continue;
      this.positions.set(batch.partition, Number(offset) + 1);
      if (key !== null) this.options.apply(key.toString(), value);
    }
  }

  private noteProgress({ partition, lastOffset }: { partition: number; lastOffset: string }): void {
    if (Number(lastOffset) + 1 < (this.behind.get(partition) ?? 0)) return;
    this.behind.delete(partition);
    this.checkCaughtUp();
  }

  private checkCaughtUp(): void {
    if (this.isReady || this.behind.size > 0) return;
    this.isReady = true;
    this.caughtUp.resolve();
  }
}
