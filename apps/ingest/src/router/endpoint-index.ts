import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { Health } from '#common/observability/health.js';
import { Database } from '#common/postgres/database.js';
import { type EndpointRecord, readEndpoint } from '#common/records/endpoint-record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { delay } from '#common/timing/timing.js';
import { Subscriptions } from './subscriptions.js';

const COMPLETE_WAIT_MS = 120_000;
const COMPLETE_CHECK_MS = 200;

/** The subscriptions of all endpoints, read from the compacted topic `endpoints`. */
@Injectable()
export class EndpointIndex implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EndpointIndex.name);
  private readonly subscriptions = new Subscriptions();
  /** Ids of the endpoints that the topic has a record of, deleted ones included. */
  private readonly seen = new Set<string>();
  private readonly table: ConfigurationTable;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    health: Health,
    markers: GenerationMarkers,
    private readonly database: Database,
  ) {
    this.table = new ConfigurationTable(kafka, {
      topic: ENDPOINTS_TOPIC,
      apply: (record) => this.apply(record),
      onOtherMarker: (key, value) => markers.apply(key, value),
    });
    health.addReadiness({
      name: 'endpoints',
      problem: () => this.table.problem() ?? (this.table.isCaughtUp ? undefined : 'the endpoints are not all read yet'),
    });
  }

  onModuleInit(): void {
    this.table.start().then(this.started.resolve, this.kafka.settings.onFatal);
  }

  async onModuleDestroy(): Promise<void> {
    await this.table.stop();
  }

  /** Resolves when every endpoint is known. Events routed earlier would miss endpoints. */
  get caughtUp(): Promise<void> {
    return this.started.promise;
  }

  /**
   * Resolves when the topic has every endpoint of the database. A recreated topic is empty until control fills it, and
   * events would match no endpoint. Waits at most `COMPLETE_WAIT_MS`: one missing endpoint must not stop all events.
   *
   * @throws the database's errors
   */
  async complete(): Promise<void> {
    const rows = await this.database.query<{ id: string }>('SELECT id FROM endpoints');
    const missing = () => rows.filter(({ id }) => !this.seen.has(id));
    for (const deadline = Date.now() + COMPLETE_WAIT_MS; missing().length > 0; await delay(COMPLETE_CHECK_MS)) {
      if (Date.now() < deadline) continue;
      this.logger.error({ endpoints: missing().length }, 'endpoints.missing');
      return;
    }
  }

  /** @param about the endpoint of an operational event; undefined for the tenant's own events */
  matching(tenant: string, type: string, about: string | undefined): readonly EndpointRecord[] {
    if (about === undefined) return this.subscriptions.matching(tenant, type);
    return this.subscriptions.matchingOperational(tenant, type, about);
  }

  /** @throws when the value is malformed; the table then skips this record, so that other endpoints continue */
  private apply({ key, value, change }: ConfigurationRecord): void {
    this.seen.add(key);
    if (value === null) this.subscriptions.remove(key, change?.version);
    else this.subscriptions.put(readEndpoint(key, value));
  }
}
