import type { Random } from '#common/domain/testing/random.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import type { EndpointDirectory } from '../../apps/dispatcher/src/endpoints/endpoint-directory.js';
import type { Endpoint } from '../../apps/dispatcher/src/endpoints/unsealed-endpoint.js';
import type { EndpointTables } from './endpoint-tables.js';
import type { Network } from './network.js';
import type { Host } from './virtual-time.js';

/** Interval at which a process reads changes of endpoints, ms. */
const LOOK_MS = 250;

/** A process's view of the endpoints: eventually consistent. */
export class SimulatedDirectory implements Pick<EndpointDirectory, keyof EndpointDirectory> {
  readonly ready = Promise.resolve();
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly listeners: ((endpointId: string) => void)[] = [];
  private seen = 0;

  constructor(
    private readonly host: Host,
    private readonly tables: EndpointTables,
    private readonly network: Network,
    private readonly random: Random,
  ) {
    this.readOn();
    network.time.timer(() => this.look(), LOOK_MS, true);
  }

  onModuleInit(): void {
    this.readOn();
  }

  async onModuleDestroy(): Promise<void> {
    this.listeners.length = 0;
  }

  find(id: string): Endpoint | undefined {
    return this.endpoints.get(id);
  }

  recordOf(id: string): Endpoint['record'] | undefined {
    return this.endpoints.get(id)?.record;
  }

  /** @throws when this process does not reach Kafka */
  async catchUp(): Promise<void> {
    if (!this.network.isReachable(this.host, 'kafka')) throw new Error('Kafka does not answer');
    this.readOn();
  }

  /** The simulation deletes no endpoint. */
  wasDeleted(): boolean {
    return false;
  }

  *halfOpen(): Iterable<string> {
    for (const [id, { record }] of this.endpoints) if (record.breaker === 'half_open') yield id;
  }

  onChange(listener: (endpointId: string) => void): void {
    this.listeners.push(listener);
  }

  private look(): void {
    if (this.seen === this.tables.announced.length || !this.network.isReachable(this.host, 'kafka')) return;
    if (!this.network.isFaulty || this.random.chance(700)) this.readOn();
  }

  private readOn(): void {
    for (; this.seen < this.tables.announced.length; this.seen++) this.apply(this.tables.announced[this.seen]);
  }

  private apply(record: EndpointRecord | undefined): void {
    if (record === undefined) return;
    this.endpoints.set(record.id, { record, keys: [], staticHeaders: {}, missingKeys: [] });
    for (const listener of this.listeners) listener(record.id);
  }
}
