import type { FetchedBatch } from '#common/kafka/kafkajs/patches/fetched-batch.js';
import type { GroupHooks, KafkaGroup } from '#common/kafka/kafkajs/patches/group-hooks.js';
import type { InRecord } from '#common/records/record.js';
import { logName } from './broker.js';
import type { Cluster } from './cluster.js';
import type { Assigned, Joined } from './group-coordinator.js';
import { GroupError } from './group-coordinator.js';
import { NoAnswerError } from './network.js';
import { SimulatedTopics } from './simulated-topics.js';

/** A fetched batch, with the fields that the product reads. */
export interface Batch extends Pick<FetchedBatch, 'topic' | 'partition' | 'fetchedOffset'> {
  readonly fetched: Pick<FetchedBatch['fetched'], 'bounds' | 'read'>;
}

/** Longer than a rebalance. After it the answer counts as lost. */
const JOIN_PATIENCE_MS = 70_000;

interface Membership {
  readonly groupId: string;
  readonly clientId: string;
  /** Partitions of all topics. */
  readonly logs: readonly Assigned[];
}

const NO_METADATA = Buffer.alloc(0);

/** kafkajs's `ConsumerGroup`: one member's view of its group, and its positions in logs. */
export class SimulatedGroup implements KafkaGroup {
  memberId: string | null = null;
  /** No other program joins the simulated groups. */
  readonly leaderId = null;
  generationId: number | null = null;
  maxWaitTime = 0;
  readonly groupId: string;
  readonly coordinator: KafkaGroup['coordinator'];
  readonly cluster: KafkaGroup['cluster'];
  private mine: readonly Assigned[] = [];
  private readonly positions = new Map<string, number>();
  private readonly paused = new Set<string>();
  private heartbeatAt = 0;

  constructor(
    private readonly kafka: Cluster,
    private readonly membership: Membership,
    private readonly hooks: Partial<GroupHooks>,
    private readonly onHeartbeat: () => void,
  ) {
    this.groupId = membership.groupId;
    const group = kafka.coordinator(this.groupId);
    const { broker, network } = kafka;
    this.coordinator = {
      heartbeat: ({ memberId, groupGenerationId }) =>
        this.ask(memberId, () => group.heartbeat(memberId, groupGenerationId)),
      leaveGroup: ({ memberId }) => network.ask('kafka', () => group.leave(memberId)),
      describeGroups: () =>
        network.ask('kafka', () => ({
          groups: [{ members: group.describe().map((member) => ({ ...member, memberMetadata: NO_METADATA })) }],
        })),
      offsetFetch: ({ topics }) =>
        network.ask('kafka', () => ({
          responses: topics.map(({ topic, partitions }) => ({
            topic,
            partitions: partitions.map(({ partition }) => {
              const commit = broker.commitOf(this.groupId, logName(topic, partition));
              return { partition, offset: String(commit?.offset ?? -1), metadata: commit?.metadata ?? null };
            }),
          })),
        })),
    };
    this.cluster = new SimulatedTopics(kafka, this.coordinator);
  }

  async joinAndSync(): Promise<void> {
    await this.hooks.beforeJoin?.(this);
    const { memberId, generationId, assigned } = await this.joinAsSomebody();
    this.memberId = memberId;
    this.generationId = generationId;
    this.mine = assigned;
    this.positions.clear();
    this.paused.clear();
    await this.hooks.afterJoin?.(this);
  }

  assigned(): { topic: string; partitions: number[] }[] {
    return [...Map.groupBy(this.mine, ({ topic }) => topic)].map(([topic, logs]) => ({
      topic,
      partitions: logs.map(({ partition }) => partition),
    }));
  }

  seek({ topic, partition, offset }: { topic: string; partition: number; offset: string }): void {
    this.positions.set(logName(topic, partition), Number(offset));
  }

  pause(logs: { topic: string; partitions: number[] }[]): void {
    for (const { topic, partitions } of logs) for (const one of partitions) this.paused.add(logName(topic, one));
  }

  resume(logs: { topic: string; partitions: number[] }[]): void {
    for (const { topic, partitions } of logs) for (const one of partitions) this.paused.delete(logName(topic, one));
  }

  async commitOffsets({ topics }: { topics: readonly unknown[] }): Promise<void> {
    const { memberId, generationId } = this;
    const offsets = (topics as CommittedTopic[]).flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset, metadata }) => {
        return [logName(topic, partition), { offset: Number(offset), metadata }] as [string, typeof commit];
      }),
    );
    const commit = { offset: 0, metadata: '' };
    const group = this.kafka.coordinator(this.groupId);
    await this.ask(memberId ?? '', () => group.commit(memberId ?? '', generationId ?? -1, offsets));
  }

  /** Marks an offset as handled: the next fetch begins behind it. */
  resolve(log: string, offset: number): void {
    if (this.positions.has(log)) this.positions.set(log, offset + 1);
  }

  async fetch(): Promise<Batch[]> {
    await this.hooks.beforeFetch?.(this);
    const from = new Map([...this.positions].filter(([name]) => !this.paused.has(name)));
    const batches = await this.fetchFrom(from, this.maxWaitTime);
    this.hooks.afterFetch?.();
    return batches;
  }

  async heartbeat(intervalMs: number): Promise<void> {
    const { memberId, generationId } = this;
    // By the wall clock, as the patched kafkajs.
    this.heartbeatAt = Math.min(this.heartbeatAt, Date.now());
    if (memberId === null || generationId === null || Date.now() < this.heartbeatAt + intervalMs) return;
    const answer = this.coordinator.heartbeat({ groupId: this.groupId, memberId, groupGenerationId: generationId });
    await (this.hooks.watchRefusals?.(this, answer) ?? answer);
    this.heartbeatAt = Date.now();
    this.onHeartbeat();
  }

  private async fetchFrom(from: ReadonlyMap<string, number>, maxWaitMs: number): Promise<Batch[]> {
    const { broker, network } = this.kafka;
    const { time } = network;
    const host = time.current;
    await network.ask('kafka', () => undefined);
    return new Promise((resolve) => {
      broker.whenReadable(from, maxWaitMs, () => {
        const batches = this.mine.flatMap((log) => {
          const name = logName(log.topic, log.partition);
          const position = from.get(name);
          if (position === undefined) return [];
          const end = broker.log(name).length;
          return [toBatch(log, position < end ? broker.read(name, position, this.kafka.maxBatch) : [], position, end)];
        });
        time.after(network.latencyMs(), () => resolve(batches), host);
      });
    });
  }

  /** A request whose answer depends on the member. */
  private async ask<Answer>(memberId: string, effect: () => Answer): Promise<Answer> {
    try {
      return await this.kafka.network.ask('kafka', effect);
    } catch (error) {
      const isRefusal = error instanceof GroupError && error.type !== 'REBALANCE_IN_PROGRESS';
      if (isRefusal) this.kafka.coordinator(this.groupId).refused(memberId);
      throw error;
    }
  }

  /** As in kafkajs: an unknown member joins again, without a call of the hooks. */
  private async joinAsSomebody(): Promise<Joined> {
    try {
      return await this.join();
    } catch (error) {
      if (!(error instanceof GroupError)) throw error;
      this.memberId = null;
      return this.join();
    }
  }

  private join(): Promise<Joined> {
    const { network } = this.kafka;
    const { time } = network;
    const host = time.current;
    const group = this.kafka.coordinator(this.groupId);
    const { clientId, logs } = this.membership;
    const { memberId } = this;
    return new Promise((resolve, reject) => {
      let isAwaited = true;
      const fail = (error: unknown) => {
        isAwaited = false;
        reject(error);
      };
      const giveUp = time.after(JOIN_PATIENCE_MS, () => fail(new NoAnswerError('kafka has not answered')), host);
      const answer = (joined: Joined) => {
        giveUp.isCancelled = true;
        time.after(network.latencyMs(), () => resolve(joined), host);
      };
      const asked = { memberId, host, clientId, logs };
      this.ask(memberId ?? '', () => group.join(asked, answer, () => isAwaited)).catch(fail);
    });
  }
}

interface CommittedTopic {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[];
}

function toBatch({ topic, partition }: Assigned, records: readonly InRecord[], position: number, end: number): Batch {
  const next = position + records.length;
  return {
    topic,
    partition,
    fetchedOffset: String(position),
    fetched: {
      bounds: { highWatermark: end, lastStable: end, logStart: 0 },
      read: async () => ({ records: [...records], next, firstLeaderEpoch: 0, leaderEpoch: 0 }),
    },
  };
}
