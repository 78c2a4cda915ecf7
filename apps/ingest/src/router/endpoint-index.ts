import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { CompactedTable } from '#common/kafka/compacted-table.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/settings.js';
import { Health } from '#common/observability/health.js';
import { type EndpointRecord, readEndpoint } from '#common/records/endpoint-record.js';
import { isMarker } from '#common/records/generation-record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { Subscriptions } from './subscriptions.js';

/** Keeps the subscriptions of all endpoints as the compacted `endpoints` topic has them. */
@Injectable()
export class EndpointIndex implements OnModuleInit, OnModuleDestroy {
  private readonly subscriptions = new Subscriptions();
  private readonly table: CompactedTable;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(Health) health: Health,
    @Inject(GenerationMarkers) markers: GenerationMarkers,
  ) {
    const apply = (id: string, value: Buffer | null) =>
      isMarker(id) ? markers.apply(id, value) : this.apply(id, value);
    this.table = new CompactedTable(settings, { topic: ENDPOINTS_TOPIC, apply });
    health.addReadiness({
      name: 'endpoints',
      problem: () => this.table.problem() ?? (this.table.isCaughtUp ? undefined : 'the endpoints are not all read yet'),
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

  private apply(id: string, value: Buffer | null): void {
    if (value === null) this.subscriptions.remove(id);
    else this.subscriptions.put(readEndpoint(id, value));
  }
}
