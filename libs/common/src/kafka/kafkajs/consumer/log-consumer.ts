import { Logger } from '@nestjs/common';
import type { Consumer, ConsumerConfig } from 'kafkajs';
import { atMost, delay } from '../../../timing/timing.js';
import type { LagWatch } from '../../lag/lag-watch.js';
import type { OffsetsReader } from '../../lag/offsets-reader.js';
import type { FetchedLog } from '../../partition/fetched-log.js';
import type { OwnedPartition, PartitionConsumer } from '../../partition/owned-partition.js';
import type { LogConsumer, LogConsumerOptions } from '../../port/log-consumer.js';
import { rebalances } from '../../port/metrics.js';
import type { KafkaSettings } from '../../port/settings.js';
import { MAX_STARTING_MS } from '../connection/client.js';
import { BATCH_RUN, type BatchPayload, type FetchedBatch } from '../patches/fetched-batch.js';
import type { GroupHooks, KafkaGroup } from '../patches/group-hooks.js';
import { hookedAssigner } from '../patches/patch-kafkajs.js';
import { Committer } from './committer.js';
import { consumerClient, consumerLag } from './consumer-lag.js';
import { FetchPace } from './fetch-pace.js';
import type { LogReader } from './log-reader.js';
import { LogWatch, WATCH_INTERVAL_MS } from './log-watch.js';
import { Membership } from './membership.js';
import { OwnedLogs } from './owned-logs.js';
import { endPredecessor } from './predecessor.js';
import { Strangers } from './strangers.js';

/** The parts of a Kafka client that a consumer needs. */
export interface ConsumerClient {
  consumer(config: ConsumerConfig): Pick<Consumer, 'connect' | 'disconnect' | 'subscribe' | 'run' | 'on' | 'events'>;
  /** Missing where lag is not measured. `groupId` and `topics` are without prefix. */
  offsets?(group: { readonly groupId: string; readonly topics: readonly string[] }): OffsetsReader;
  /** For deferred records. */
  reader(): LogReader;
}

/**
 * A few hundred records. Decoding blocks the event loop: a megabyte of each partition blocked it for half a second
 * (measured). Garbage collection costs more for records that wait long in memory. Kafka still sends a larger batch, alone.
 */
const FETCH_BYTES_PER_PARTITION = 49_152;
/** Of all partitions together. V8 moves objects that survive two young collections to its old generation, where collection costs more. */
const MAX_FETCH_BYTES = 196_608;
const COMMIT_INTERVAL_MS = 100;
const MAX_HEARTBEAT_MS = 3_000;
const MAX_LEASE_MARGIN_MS = 5_000;
/** After the time of this many heartbeats without an answer, the consumer reports a problem. */
const SILENT_HEARTBEATS = 3;
const STALE_BATCH_PAUSE_MS = 50;
const CHECK_INTERVAL_MS = 1_000;

/**
 * Consumes logs as one member of a group. kafkajs fetches, heartbeats and joins. This class keeps offsets, ownership and
 * commits. Records finish out of order. A commit has the watermark and the finished offsets above it. The consumer commits
 * only partitions that it owns now. A member whose heartbeats fail gives up its partitions before its session ends
 * (docs/lane-protocol.md, rules 7 and 8).
 */
export class KafkajsConsumer implements LogConsumer, GroupHooks, PartitionConsumer {
  private readonly logger = new Logger('LogConsumer');
  private readonly consumer: ReturnType<ConsumerClient['consumer']>;
  private readonly groupId: string;
  private readonly owned: OwnedLogs;
  private readonly watch: LogWatch;
  private readonly committer: Committer;
  private readonly pace: FetchPace;
  private readonly membership = new Membership(() => this.evicted());
  private readonly lag: LagWatch | undefined;
  private readonly strangers: Strangers;
  /** Connects with the first deferred record. */
  private readonly reader: LogReader;
  private isStopping = false;
  /** Undefined until all topics exist and `startAfter` has resolved. */
  private starting: Promise<void> | undefined;
  private timers: NodeJS.Timeout[] = [];
  private readonly heartbeatMs: number;
  /** Without a heartbeat for this long, this member can no longer be sure of its partitions. */
  private readonly leaseMs: number;

  constructor(
    private readonly settings: KafkaSettings,
    private readonly options: LogConsumerOptions,
    kafka: ConsumerClient = consumerClient(settings),
  ) {
    this.heartbeatMs = Math.min(MAX_HEARTBEAT_MS, settings.sessionTimeoutMs / 5);
    this.leaseMs = settings.sessionTimeoutMs - Math.min(MAX_LEASE_MARGIN_MS, settings.sessionTimeoutMs / 4);
    this.groupId = settings.prefix + options.groupId;
    this.strangers = new Strangers(this.groupId);
    this.pace = new FetchPace(options);
    this.owned = new OwnedLogs(settings, this, options.ownership);
    this.committer = new Committer(options.groupId, this.membership, this.owned);
    const parts = { owned: this.owned, committer: this.committer, membership: this.membership };
    this.watch = new LogWatch(settings.prefix, options.topics, parts, () => this.isStopping);
    this.lag = consumerLag(settings, options, { client: kafka, owned: this.owned, membership: this.membership });
    this.reader = kafka.reader();
    this.consumer = kafka.consumer({
      allowAutoTopicCreation: false,
      groupId: this.groupId,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: Math.max(60_000, settings.sessionTimeoutMs),
      heartbeatInterval: this.heartbeatMs,
      maxBytesPerPartition: options.maxBytesPerPartition ?? FETCH_BYTES_PER_PARTITION,
      maxBytes: Math.max(MAX_FETCH_BYTES, options.maxBytesPerPartition ?? 0),
      partitionAssigners: [hookedAssigner(this)],
      // A consumer that crashes while it stops, because its broker is away, would restart without end.
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5, restartOnFailure: async () => !this.isStopping },
    });
  }

  /** Resolves when consuming has begun, or when `stop` was called first. Partitions may be assigned a little later. */
  async start(): Promise<void> {
    await Promise.all([this.settings.topicsReady, this.options.startAfter?.()]);
    if (this.isStopping) return;
    this.starting = this.connectAndRun().catch((error: unknown) => {
      // After a stop the error has no effect.
      if (!this.isStopping) throw error;
    });
    await this.starting;
  }

  private async connectAndRun(): Promise<void> {
    this.consumer.on(this.consumer.events.HEARTBEAT, () => this.membership.noteHeartbeat());
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.isStopping) this.settings.onFatal(payload.error);
    });
    await this.consumer.connect();
    await this.consumer.subscribe({
      topics: this.options.topics.map((topic) => this.settings.prefix + topic),
      fromBeginning: true,
    });
    if (this.isStopping) return;
    this.timers = [
      setInterval(() => this.committer.commit(), COMMIT_INTERVAL_MS),
      setInterval(() => this.check(), CHECK_INTERVAL_MS),
      setInterval(() => this.watch.check(), WATCH_INTERVAL_MS),
      setInterval(() => this.checkLeader(), WATCH_INTERVAL_MS),
    ];
    this.lag?.start();
    await this.consumer.run({
      ...BATCH_RUN,
      partitionsConsumedConcurrently: 4,
      eachBatch: (payload) => this.takeBatch(payload as unknown as BatchPayload),
    });
  }

  /**
   * Stops in order: ends fetching, finishes work in flight within a time limit, commits, leaves the group. A start that has
   * begun is awaited, since the client leaves only a group that it has joined. A later start does nothing.
   */
  async stop(): Promise<void> {
    this.isStopping = true;
    await atMost(MAX_STARTING_MS, this.starting);
    for (const log of this.owned.values()) log.pause('stopping');
    await this.finishInFlight();
    for (const timer of this.timers) clearInterval(timer);
    await this.lag?.close();
    await this.committer.commit();
    // Unfinished work is aborted before another member owns the partition.
    this.owned.loseAll();
    await Promise.all([this.consumer.disconnect(), this.reader.close()]);
  }

  /** Undefined when all is well; else why this consumer takes no records now. */
  problem(): string | undefined {
    if (this.isStopping) return 'stopping';
    const { standing, silentMs } = this.membership;
    const stall = this.lag?.problem();
    if (stall !== undefined) return stall;
    const stranger = this.strangers.problem();
    if (stranger !== undefined) return stranger;
    if (standing !== 'synced') return `not a member of group ${this.groupId}`;
    if (silentMs < SILENT_HEARTBEATS * this.heartbeatMs) return undefined;
    return `group ${this.groupId} has not answered for ${Math.round(silentMs / 1_000)} s`;
  }

  warning(): string | undefined {
    return this.strangers.warning() ?? this.lag?.heldByTransaction();
  }

  async beforeJoin(group: KafkaGroup): Promise<void> {
    const { membership } = this;
    const isFirst = membership.group !== group;
    membership.group = group;
    // The group evicted this member. Other members may own its partitions now.
    if (!isFirst && group.memberId === null) this.owned.loseAll();
    if (this.owned.size > 0) {
      const isDone = await this.finishInFlight();
      await this.committer.commit();
      // After the join another member may own the partition. Unfinished work is aborted, and the next owner reads it again.
      if (!isDone) this.owned.loseAll();
    }
    if (isFirst) {
      // endPredecessor() may evict this process's former member. Then another member may own its partitions.
      this.owned.loseAll();
      await endPredecessor(group, this.settings.clientId);
    }
    // The consumer sends no commit until the join ends. It would name old partitions under the new member id or generation.
    membership.standing = 'none';
  }

  async afterJoin(group: KafkaGroup): Promise<void> {
    rebalances.inc({ group: this.options.groupId });
    if (!this.membership.noteJoin(group)) this.owned.loseAll();
    await this.sync(group);
    this.strangers.noteJoin();
    this.checkLeader();
  }

  onStrangers(memberIds: readonly string[]): void {
    this.strangers.noteIdle(memberIds);
  }

  onOtherProtocol(): void {
    this.strangers.noteOtherProtocol();
  }

  watchRefusals<Answer>(group: KafkaGroup, answer: Promise<Answer>): Promise<Answer> {
    return this.membership.watchRefusals(group, answer);
  }

  async beforeFetch(group: KafkaGroup): Promise<void> {
    await this.membership.ensure(group);
    if (this.membership.standing === 'joined') await this.sync(group);
    await this.pace.before(group, this.owned);
  }

  afterFetch(): void {
    this.pace.after();
  }

  async onOutOfRange(group: KafkaGroup, topic: string, partition: number): Promise<void> {
    await this.watch.skipLost(group, topic, partition);
  }

  private async sync(group: KafkaGroup): Promise<void> {
    await this.owned.sync(group, () => this.isStopping);
    this.membership.standing = 'synced';
    // Several members may stop at once. The rebalance must not make a stopping consumer start new work.
    if (!this.isStopping) this.options.ownership?.onRebalanced?.();
  }

  /** kafkajs calls this with each fetch of a partition, also if the fetch has no records. */
  private async takeBatch({ batch, resolveOffset }: BatchPayload): Promise<void> {
    const log = this.owned.get(`${batch.topic}/${batch.partition}`);
    const from = Number(batch.fetchedOffset);
    if (!log?.isReady || this.isStopping || from !== log.position) return this.refuse(batch, log);
    const reading = await batch.fetched.read(from, log);
    const isContinued = await this.watch.isContinued(log, reading.firstLeaderEpoch);
    // During the decompression and the epoch check this process may have lost the partition, or its position may have changed.
    if (!isContinued || log.lost.aborted || this.isStopping || from !== log.position) return this.refuse(batch, log);
    const after = log.recordsEnd;
    const records = log.take(reading);
    if (reading.next > from) resolveOffset(String(reading.next - 1));
    try {
      if (records.length > 0) await this.options.onBatch({ log, records, after });
      this.options.ownership?.onPassed?.(log, { after: log.recordsEnd, next: reading.next });
    } catch (error) {
      this.settings.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Ignores a batch of an older assignment or position. Its offset is not resolved. The owner reads from its own position again. */
  private async refuse({ topic, partition }: FetchedBatch, log: OwnedPartition | undefined): Promise<void> {
    await delay(STALE_BATCH_PAUSE_MS);
    const isOwned = log !== undefined && !log.lost.aborted && !this.isStopping;
    if (isOwned) this.membership.group?.seek({ topic, partition, offset: String(log.position) });
  }

  /**
   * Work in flight may finish, for a bounded time and with heartbeats. No new work begins.
   *
   * @returns false when some work is still in flight after the time limit
   */
  private async finishInFlight(): Promise<boolean> {
    const heartbeat = setInterval(() => this.membership.keepAlive(), this.heartbeatMs);
    try {
      return await atMost(this.options.finishMs ?? 10_000, this.options.ownership?.onRebalancing?.());
    } finally {
      clearInterval(heartbeat);
    }
  }

  setPaused({ topic, partition }: OwnedPartition, isPaused: boolean): void {
    this.membership.group?.[isPaused ? 'pause' : 'resume']([
      { topic: this.settings.prefix + topic, partitions: [partition] },
    ]);
    if (!isPaused) this.pace.resume();
  }

  abandon(): void {
    this.owned.loseAll();
    this.membership.doubt();
  }

  confirm(): Promise<void> {
    return this.membership.confirm();
  }

  readAgain({ topic, partition }: OwnedPartition, from: number): Promise<FetchedLog> {
    return this.reader.read(topic, partition, from);
  }

  /** kafkajs learns of the eviction from its next heartbeat, and joins again. A join here would cause two joins. */
  private evicted(): void {
    this.logger.warn({ group: this.groupId, partitions: this.owned.size }, 'group.evicted');
    this.owned.loseAll();
  }

  private checkLeader(): void {
    const { group } = this.membership;
    if (group === undefined) return;
    this.strangers
      .checkLeader(group)
      .catch((error: unknown) => this.logger.debug({ err: error }, 'group.not_described'));
  }

  /** Once a second: updates metrics, takes over assigned partitions that are not owned yet, and checks the lease. */
  private check(): void {
    this.owned.show();
    if (this.owned.isIncomplete(this.membership.group)) void this.watch.takeOver();
    const { silentMs } = this.membership;
    if (this.owned.size > 0 && silentMs > this.leaseMs) {
      this.logger.warn({ silent_ms: silentMs }, 'lease.expired');
      this.abandon();
    }
  }
}
