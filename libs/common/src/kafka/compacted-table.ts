import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Admin, Consumer, EachBatchPayload } from 'kafkajs';
import { createKafka } from './client.js';
import { toRecord } from './kafka-message.js';
import { hookedAssigner } from './kafkajs-patches.js';
import { endPredecessor } from './predecessor.js';
import type { InRecord } from './record.js';
import type { KafkaSettings } from './settings.js';
import { atMost, MAX_STARTING_MS } from './timing.js';

export interface CompactedTableOptions {
  /** Without prefix. */
  readonly topic: string;
  /** Called for each record in log order; null deletes the key. */
  readonly apply: (key: string, value: Buffer | null, record: InRecord) => void;
  /** Awaited before the records of a batch are applied: for checks that would hold the event loop. */
  readonly prepare?: (records: readonly InRecord[]) => Promise<void>;
}

/** What {@link CompactedTable.catchUp} waits for: by partition, the end to reach. */
interface Awaited {
  readonly ends: Map<number, number>;
  readonly resolve: () => void;
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
  /** By partition: the end of the last batch, which may lie behind the last record applied. */
  private readonly reached = new Map<number, number>();
  private readonly waiting = new Set<Awaited>();
  private readonly caughtUp = Promise.withResolvers<void>();
  private isReady = false;
  /** A consumer that crashes while it stops, its broker being away, would start again for ever. */
  private isStopping = false;
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
      // The group is ours alone, so any other member is what we were before a crash; it must not be waited for.
      partitionAssigners: [hookedAssigner({ beforeJoin: (group) => endPredecessor(group, settings.clientId) })],
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

  /**
   * Resolves when everything that is in the topic by now has been applied; never when it is stopped before.
   *
   * @throws when the broker does not say where the topic ends
   */
  async catchUp(): Promise<void> {
    await this.caughtUp.promise;
    const offsets = await this.admin.fetchTopicOffsets(this.topic);
    const ends = new Map(
      offsets
        .filter(({ partition, high, low }) => Number(high) > Math.max(Number(low), this.reached.get(partition) ?? 0))
        .map(({ partition, high }) => [partition, Number(high)]),
    );
    if (ends.size === 0) return;
    await new Promise<void>((resolve) => this.waiting.add({ ends, resolve }));
  }

  private async connectAndRun(): Promise<void> {
    await this.admin.connect();
    for (const { partition, high, low } of await this.admin.fetchTopicOffsets(this.topic)) {
      if (Number(high) > Number(low)) this.behind.set(partition, Number(high));
    }
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    if (this.isStopping) return;
    await this.consumer.run({ autoCommit: false, eachBatch: (payload) => this.applyBatch(payload) });
    this.checkCaughtUp();
  }

  /** What is only about to start does not; what has begun to is waited for, a while: it would go on behind our back. */
  async stop(): Promise<void> {
    this.isStopping = true;
    if (this.starting === undefined) return;
    await atMost(MAX_STARTING_MS, this.starting);
    await this.consumer.disconnect();
    try {
      await this.admin.deleteGroups([this.groupId]);
    } catch (error) {
      // The broker forgets an empty group without offsets by itself.
      this.logger.debug({ err: error }, 'table.group_not_deleted');
    }
    await this.admin.disconnect();
  }

  private async applyBatch({ batch }: EachBatchPayload): Promise<void> {
    const isNew = ({ partition, offset }: InRecord) => offset >= (this.positions.get(partition) ?? 0);
    const records = batch.messages
      .map((message) => toRecord(this.options.topic, batch.partition, message))
      .filter(isNew);
    await this.options.prepare?.(records);
    for (const record of records.filter(isNew)) {
      this.positions.set(record.partition, record.offset + 1);
      if (record.key !== null) this.options.apply(record.key.toString(), record.value, record);
    }
  }

  private noteProgress({ partition, lastOffset }: { partition: number; lastOffset: string }): void {
    const end = Number(lastOffset) + 1;
    this.reached.set(partition, Math.max(end, this.reached.get(partition) ?? 0));
    for (const awaited of this.waiting) this.noteReached(awaited, partition, end);
    if (end < (this.behind.get(partition) ?? 0)) return;
    this.behind.delete(partition);
    this.checkCaughtUp();
  }

  private noteReached(awaited: Awaited, partition: number, end: number): void {
    if (end >= (awaited.ends.get(partition) ?? Number.POSITIVE_INFINITY)) awaited.ends.delete(partition);
    if (awaited.ends.size > 0) return;
    this.waiting.delete(awaited);
    awaited.resolve();
  }

  private checkCaughtUp(): void {
    if (this.isReady || this.behind.size > 0) return;
    this.isReady = true;
    this.caughtUp.resolve();
  }
}
