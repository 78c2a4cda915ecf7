import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/settings.js';
import { Health } from '#common/observability/health.js';
import { type EndpointRecord, endpointRecordOf } from '#common/records/endpoint-record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { Subscriptions } from './subscriptions.js';

/** Keeps the subscriptions of all endpoints as the compacted `endpoints` topic has them. */
@Injectable()
export class EndpointIndex implements OnModuleInit, OnModuleDestroy {
  private readonly subscriptions = new Subscriptions();
  private readonly table: ConfigurationTable;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(Health) health: Health,
  ) {
    const apply = (record: ConfigurationRecord) => this.apply(record);
    this.table = new ConfigurationTable(settings, { topic: ENDPOINTS_TOPIC, apply });
    health.addReadiness({
      name: 'endpoints',
      problem: () => (this.table.isCaughtUp ? undefined : 'the endpoints are not all read yet'),
    });
  }

  onModuleInit(): void {
    this.table.start().then(this.started.resolve, this.settings.onFatal);
  }

  async onModuleDestroy(): Promise<void> {
    await this.table.stop();
  }

  /** Resolves when every endpoint is known: an event that is routed before would miss some. */
  get caughtUp(): Promise<void> {
    return this.started.promise;
  }

  /** @param about the endpoint an operational event is about; undefined for the tenant's own events */
  matching(tenant: string, type: string, about: string | undefined): readonly EndpointRecord[] {
    if (about === undefined) return this.subscriptions.matching(tenant, type);
    return this.subscriptions.matchingOperational(tenant, type, about);
  }

  /** @throws when the value is not understood: one malformed record must not stop all other endpoints */
  private apply({ key, value, change }: ConfigurationRecord): void {
    if (value === null) this.subscriptions.remove(key, change?.version);
    else this.subscriptions.put(endpointRecordOf(key, value));
  }
}
