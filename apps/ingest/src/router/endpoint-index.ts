import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { Health } from '#common/observability/health.js';
import type { Receiver } from '#common/postgres/delivery-parts.js';
import { readEndpoint } from '#common/records/endpoint-record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import * as metrics from '../metrics.js';
import { Subscriptions } from './subscriptions/subscriptions.js';

/** The subscriptions of all endpoints, read from the compacted topic `endpoints`. */
@Injectable()
export class EndpointIndex implements OnModuleInit, OnModuleDestroy {
  private readonly subscriptions = new Subscriptions();
  private readonly table: ConfigurationTable;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    health: Health,
    markers: GenerationMarkers,
  ) {
    this.table = new ConfigurationTable(kafka, {
      topic: ENDPOINTS_TOPIC,
      apply: (record) => this.apply(record),
      onOtherMarker: (key, value) => markers.apply(key, value),
    });
    health.addReadiness({ name: 'endpoints', problem: () => this.table.completeProblem() });
  }

  onModuleInit(): void {
    this.table.startComplete().then(this.started.resolve, this.kafka.settings.onFatal);
  }

  async onModuleDestroy(): Promise<void> {
    await this.table.stop();
  }

  /** Resolves when every endpoint is known, by control's marker. Events routed earlier would miss endpoints. */
  get caughtUp(): Promise<void> {
    return this.started.promise;
  }

  /** @param about the endpoint of an operational event; undefined for the tenant's own events */
  matching(tenant: string, type: string, about: string | undefined): readonly Receiver[] {
    if (about === undefined) return this.subscriptions.matching(tenant, type);
    return this.subscriptions.matchingOperational(tenant, type, about);
  }

  /** @throws when the value is malformed; the table then skips this record, so that other endpoints continue */
  private apply({ key, value, change }: ConfigurationRecord): void {
    if (value === null) this.subscriptions.remove(key, change?.version);
    else this.subscriptions.put(readEndpoint(key, value));
    metrics.subscribedEndpoints.set(this.subscriptions.size);
    metrics.subscribedPatterns.set(this.subscriptions.patternCount);
  }
}
