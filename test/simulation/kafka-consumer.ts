import type { ConsumerConfig, ConsumerRunConfig, ConsumerSubscribeTopics } from 'kafkajs';
import { hooksOf } from '#common/kafka/kafkajs/patches/patch-kafkajs.js';
import { logName } from './broker.js';
import type { Cluster } from './cluster.js';
import { type Assigned, GroupError } from './group-coordinator.js';
import { SimulatedGroup } from './kafka-group.js';

const EVENTS = { HEARTBEAT: 'consumer.heartbeat', CRASH: 'consumer.crash' } as const;
const RETRY_MS = 300;
/** After this number of failures in a row, kafkajs restarts its consumer. */
const RETRIES = 5;

/** kafkajs's consumer, as far as the product uses it: fetches, handles batches, sends heartbeats, joins again. */
export class SimulatedConsumer {
  readonly events = EVENTS;
  private readonly listeners = new Map<string, () => void>();
  private topics: readonly string[] = [];
  private group: SimulatedGroup | undefined;
  private isRunning = false;
  private ended = Promise.resolve();

  constructor(
    private readonly cluster: Cluster,
    private readonly clientId: string,
    private readonly config: ConsumerConfig,
  ) {}

  on(event: string, listener: () => void): () => void {
    this.listeners.set(event, listener);
    return () => this.listeners.delete(event);
  }

  connect(): Promise<void> {
    return Promise.resolve();
  }

  async subscribe({ topics }: ConsumerSubscribeTopics): Promise<void> {
    this.topics = topics.map(String);
  }

  async run({ eachBatch }: ConsumerRunConfig): Promise<void> {
    if (eachBatch === undefined) throw new Error('no handler for batches');
    this.isRunning = true;
    this.ended = this.restartFor(eachBatch);
  }

  async disconnect(): Promise<void> {
    this.isRunning = false;
    await this.ended;
    const { group } = this;
    const { memberId } = group ?? {};
    if (group && memberId)
      await group.coordinator.leaveGroup({ groupId: group.groupId, memberId }).catch(() => undefined);
  }

  private async restartFor(eachBatch: NonNullable<ConsumerRunConfig['eachBatch']>): Promise<void> {
    while (this.isRunning) {
      this.group = this.newGroup();
      await this.consume(this.group, eachBatch).catch(() => undefined);
      await pause(RETRY_MS);
    }
  }

  private newGroup(): SimulatedGroup {
    const { cluster, clientId, config } = this;
    const [assigner] = config.partitionAssigners ?? [];
    if (assigner === undefined) throw new Error('the product always names its assigner');
    const { groupId } = config;
    const made = assigner({ cluster: {}, groupId, logger: {} } as Parameters<typeof assigner>[0]);
    const logs = this.topics.flatMap((topic) =>
      Array.from({ length: cluster.partitionsOf(topic) }, (_, partition): Assigned => ({ topic, partition })),
    );
    return new SimulatedGroup(cluster, { groupId, clientId, logs }, hooksOf({ assigners: [made] }) ?? {}, () =>
      this.listeners.get(EVENTS.HEARTBEAT)?.(),
    );
  }

  /** @throws the last error, after several failures in a row */
  private async consume(group: SimulatedGroup, eachBatch: NonNullable<ConsumerRunConfig['eachBatch']>): Promise<void> {
    await group.joinAndSync();
    for (let failures = 0; this.isRunning; ) {
      try {
        await this.fetchOnce(group, eachBatch).catch((error: unknown) => joinAgain(group, error));
        failures = 0;
      } catch (error) {
        // As in kafkajs, fetching continues after a failed join, too, with the former assignment.
        if (++failures > RETRIES) throw error;
        await pause(RETRY_MS);
      }
    }
  }

  private async fetchOnce(
    group: SimulatedGroup,
    eachBatch: NonNullable<ConsumerRunConfig['eachBatch']>,
  ): Promise<void> {
    const { heartbeatInterval = 3_000 } = this.config;
    const batches = await group.fetch();
    for (const batch of batches) {
      if (!this.isRunning) break;
      const name = logName(batch.topic, batch.partition);
      const payload = { batch, resolveOffset: (offset: string) => group.resolve(name, Number(offset)) };
      await eachBatch(payload as unknown as Parameters<typeof eachBatch>[0]);
      await group.heartbeat(heartbeatInterval);
    }
    await group.heartbeat(heartbeatInterval);
  }
}

/** @throws errors that are not the group's */
async function joinAgain(group: SimulatedGroup, error: unknown): Promise<void> {
  if (!(error instanceof GroupError)) throw error;
  if (error.type === 'UNKNOWN_MEMBER_ID') group.memberId = null;
  await group.joinAndSync();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
