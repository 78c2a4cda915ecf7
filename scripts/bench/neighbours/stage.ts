import { setTimeout as delay } from 'node:timers/promises';
import { laneOf } from '#common/domain/lane.js';
import { kafkaClient } from '#common/kafka/connect.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { freePort } from '../../lib/ports.mjs';
import { until } from '../../lib/until.mjs';
import { createEndpoints } from '../endpoints.ts';
import { Ipc } from '../ipc.ts';
import { benchKafkaSettings } from '../kafka-settings.ts';
import type { Listening } from '../messages.ts';
import { sampleOf } from '../samples.ts';
import { BenchSystem } from '../system.ts';
import type { Neighbours } from './cases.ts';

/** Time for a new endpoint to reach the routers and dispatchers. */
const SETTLE_MS = 2_000;
/** The default of the apps. */
const LOG_PARTITIONS = 8;
const DRAINED_WITHIN_MS = 45_000;
/** A larger backlog is not waited for. */
const MOST_BACKLOG = 20_000;

/** The system under load, with the processes of both kinds of endpoints. */
export class Stage {
  readonly probe: Ipc;
  readonly crowd: Ipc;
  readonly system: BenchSystem;
  readonly kafka: KafkaClient;
  readonly producer: RecordProducer;
  private readonly ports: { probe: number; crowd: number; refuse: number };

  private constructor(system: BenchSystem, ipcs: { probe: Ipc; crowd: Ipc }, ports: Stage['ports']) {
    this.system = system;
    this.probe = ipcs.probe;
    this.crowd = ipcs.crowd;
    this.ports = ports;
    this.kafka = kafkaClient(benchKafkaSettings(system.kafka.brokers));
    this.producer = this.kafka.producer();
  }

  static async start(): Promise<Stage> {
    const system = await BenchSystem.start();
    const probe = new Ipc(new URL('./probe.ts', import.meta.url));
    const { listening: probePort } = await probe.next<Listening>();
    const crowd = new Ipc(new URL('./crowd.ts', import.meta.url));
    const { listening: crowdPort } = await crowd.next<Listening>();
    const ports = { probe: probePort, crowd: crowdPort, refuse: await freePort() };
    const stage = new Stage(system, { probe, crowd }, ports);
    await stage.producer.connect();
    return stage;
  }

  async stop() {
    this.probe.close();
    this.crowd.close();
    await this.producer.close();
    await this.system.stop();
  }

  /** @returns id of the watched endpoint */
  async addWatched(type: string, tenant: string): Promise<string> {
    const endpoint = { url: `http://127.0.0.1:${this.ports.probe}/watched`, event_types: [type], tenant };
    const [id = ''] = await createEndpoints(this.system, [endpoint]);
    return id;
  }

  /** @returns ids of the neighbours; empty without any */
  async addNeighbours(neighbours: Neighbours | undefined, types: string[], tenant: string): Promise<string[]> {
    if (neighbours === undefined) return [];
    const { endpoints, behaviour, settings = {} } = neighbours;
    const port = behaviour === 'refuse' ? this.ports.refuse : this.ports.crowd;
    const urlOf = (number: number) => `http://127.0.0.1:${port}/${behaviour}/${number}`;
    const each = Array.from({ length: endpoints }, (_, number) => ({
      url: urlOf(number),
      event_types: types,
      tenant,
      ...settings,
    }));
    return createEndpoints(this.system, each);
  }

  /** @returns a resource whose lanes at all endpoints are on one partition, so that a paused partition delays each of them */
  resourceOnOnePartition(endpointIds: readonly string[]): string {
    for (let number = 0; ; number++) {
      const resourceId = `one${number}`;
      const partitions = endpointIds.map((endpointId) => {
        const lane = laneOf({ ordering: 'resource', endpointId, resourceId, deliveryId: '' });
        return partitionOf(lane, LOG_PARTITIONS);
      });
      if (new Set(partitions).size === 1) return resourceId;
    }
  }

  async settle() {
    await delay(SETTLE_MS);
  }

  /** Deletes endpoints. @returns whether their backlog is gone; otherwise the next case needs another stage */
  async clear(ids: readonly string[]): Promise<boolean> {
    const backlog = async () => {
      const { ingestLag, deliveriesLag, parked } = await sampleOf(this.system);
      return ingestLag + deliveriesLag + parked;
    };
    // A busy app may not answer in time.
    if ((await backlog().catch(() => Number.POSITIVE_INFINITY)) > MOST_BACKLOG) return false;
    for (const id of ids) await this.system.call('control', 'DELETE', `/v1/endpoints/${id}`);
    const isGone = async () => (await backlog()) === 0;
    return until('the backlog is gone', isGone, { timeoutMs: DRAINED_WITHIN_MS, everyMs: 500 }).then(
      () => true,
      () => false,
    );
  }
}
