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

/** Keeps the subscriptions of all endpoints as the compacted `endpoints` topic has them. */
@Injectable()
export class EndpointIndex implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EndpointIndex.name);
  private readonly subscriptions = new Subscriptions();
  /** Of every endpoint that the topic has a record of. */
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

  /** Resolves when every endpoint is known: an event that is routed before would miss some. */
  get caughtUp(): Promise<void> {
    return this.started.promise;
  }

  /**
   * Resolves when every endpoint of the database is in the topic: one that is new, too, is filled by control, and until then
   * events would match no endpoint. Bounded: one endpoint that is missing must not stop all events.
   *
   * @throws what the database throws
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

  /** @param about the endpoint an operational event is about; undefined for the tenant's own events */
  matching(tenant: string, type: string, about: string | undefined): readonly EndpointRecord[] {
    if (about === undefined) return this.subscriptions.matching(tenant, type);
    return this.subscriptions.matchingOperational(tenant, type, about);
  }

  /** @throws when the value is not understood: one malformed record must not stop all other endpoints */
  private apply({ key, value, change }: ConfigurationRecord): void {
    this.seen.add(key);
    if (value === null) this.subscriptions.remove(key, change?.version);
    else this.subscriptions.put(readEndpoint(key, value));
  }
}
