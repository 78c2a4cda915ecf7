import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Admin, Consumer } from 'kafkajs';
import { createKafka } from './client.js';
import type { BatchPayload } from './fetched-batch.js';
import type { LogBounds } from './fetched-records.js';
import { hookedAssigner } from './kafkajs-patches.js';
import { endPredecessor } from './predecessor.js';
import type { InRecord } from './record.js';
import type { KafkaSettings } from './settings.js';
import { atMost, MAX_STARTING_MS } from './timing.js';

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
  /** Partitions with records at the start that have not all been applied. */
  private readonly behind = new Set<number>();
  /** By partition: the end of its log at the first fetch. */
  private readonly targets = new Map<number, number>();
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
    for (const { partition, high, low } of await this.admin.fetchTopicOffsets(this.topic)) {
      if (Number(high) > Number(low)) this.behind.add(partition);
    }
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true });
    if (this.isStopping) return;
    await this.consumer.run({
      autoCommit: false,
      eachBatch: (payload) => this.applyBatch(payload as unknown as BatchPayload),
    });
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

  /** Called with every fetch of a partition, also with one that brought nothing to be seen. */
  private async applyBatch({ batch, resolveOffset }: BatchPayload): Promise<void> {
    const { partition, fetchedOffset, fetched } = batch;
    const from = Number(fetchedOffset);
    const { records, next } = await fetched.read(from, { topic: this.options.topic, partition });
    for (const record of records) this.applyRecord(record);
    if (next > from) resolveOffset(String(next - 1));
    this.noteProgress(partition, next, fetched.bounds);
  }

  private applyRecord({ partition, offset, key, value, oversized }: InRecord): void {
    if (offset < (this.positions.get(partition) ?? 0)) return;
    this.positions.set(partition, offset + 1);
    if (oversized !== undefined) {
      this.logger.error({ topic: this.topic, partition, offset, detail: oversized }, 'table.record_ignored');
    } else if (key !== null) {
      this.options.apply(key.toString(), value);
    }
  }

  /**
   * The target is the high watermark: it counts what lies behind an open transaction, which the end that an admin client
   * is given does not. A table that lacks those records would be taken for whole.
   */
  private noteProgress(partition: number, next: number, { highWatermark }: LogBounds): void {
    const target = this.targets.get(partition) ?? highWatermark;
    this.targets.set(partition, target);
    if (next < target || !this.behind.delete(partition)) return;
    this.checkCaughtUp();
  }

  private checkCaughtUp(): void {
    if (this.isReady || this.behind.size > 0) return;
    this.isReady = true;
    this.caughtUp.resolve();
  }
}
