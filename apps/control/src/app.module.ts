import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Generations } from '#common/generations/generations.js';
import { ApiKeyGuard } from '#common/http/api-key.guard.js';
import { SchemaPipe } from '#common/http/validation.js';
import { KafkaModule } from '#common/kafka/kafka.module.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/settings.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Health } from '#common/observability/health.js';
import { ObservabilityModule } from '#common/observability/observability.module.js';
import { Database } from '#common/postgres/database.js';
import { PostgresModule } from '#common/postgres/postgres.module.js';
import { addressPolicy } from '#common/security/address-policy.js';
import { ApiKeyModule } from '#common/security/api-key.module.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { Sealer } from '#common/security/sealing.js';
import { AdminKey } from './api-keys/admin-key.js';
import { ApiKeysController } from './api-keys/api-keys.controller.js';
import { ApiKeysService } from './api-keys/api-keys.service.js';
import { Standing } from './changes/standing.js';
import type { ControlConfig } from './config.js';
import { Comparer } from './configuration/comparer.js';
import { ConfigurationPublisher } from './configuration/publisher.js';
import { ConfigurationSigner } from './configuration/signer.js';
import { ConfigurationTopics } from './configuration/topics.js';
import { ConfigurationWatch } from './configuration/watch.js';
import { DatabaseInterceptor } from './database.interceptor.js';
import { DeadLetterQueries } from './dead-letters/dead-letter.queries.js';
import { DeadLetterReplays } from './dead-letters/dead-letter-replays.js';
import { DeadLettersController } from './dead-letters/dead-letters.controller.js';
import { DeliveriesController } from './deliveries/deliveries.controller.js';
import { DeliveryQueries } from './deliveries/delivery.queries.js';
import { DeliveryRetries } from './deliveries/delivery-retries.js';
import { EndpointsController } from './endpoints/endpoints.controller.js';
import { ADDRESS_POLICY, EndpointsService } from './endpoints/endpoints.service.js';
import { TestEvents } from './endpoints/test-events.js';
import { EventQueries } from './events/event.queries.js';
import { EventsController } from './events/events.controller.js';
import { CoolDowns } from './health/cool-downs.js';
import { EndpointHealthController } from './health/health.controller.js';
import { HealthQueries } from './health/health.queries.js';
import { HoldsService } from './health/holds.service.js';
import { LaneQueries } from './lanes/lane.queries.js';
import { LaneSkips } from './lanes/lane-skips.js';
import { LanesController } from './lanes/lanes.controller.js';
import { ParkingGauges } from './lanes/parking-gauges.js';
import { ProjectorGaps } from './projector/gaps.js';
import { ProjectionWriter } from './projector/projection-writer.js';
import { ProjectorConsumer } from './projector/projector.consumer.js';
import { Projector } from './projector/projector.js';
import { RecoveriesController } from './recoveries/recoveries.controller.js';
import { RecoveriesService } from './recoveries/recoveries.service.js';
import { RecoveryWorker } from './recoveries/recovery-worker.js';
import { OutboxRelay } from './relay/outbox-relay.js';
import { Janitor } from './retention/janitor.js';
import { SchemaState } from './schema/schema-state.js';
import { SealingKeys } from './secrets/sealing-keys.js';
import { ControlConfigModule } from './shared/control-config.js';

const APP = 'control';
/** Least time between two fetches: outcomes are written in batches, and nobody waits for them by the millisecond. */
const FETCH_PACE_MS = 50;
/** All outcomes of an endpoint are in one partition: some thousands of them. */
const FETCH_BYTES_PER_PARTITION = 524_288;
/** How long a rebalance, or the end, waits for what was read to be written. */
const DRAIN_MS = 3_000;

@Module({})
export class AppModule {
  static forConfig(config: ControlConfig): DynamicModule {
    const policy = () => addressPolicy({ allowHttp: config.ALLOW_HTTP, allowedAddresses: config.ALLOWED_ADDRESSES });
    return {
      module: AppModule,
      imports: [
        ControlConfigModule.of(config),
        ObservabilityModule.forApp({ app: APP, level: config.LOG_LEVEL }),
        KafkaModule.forApp({ app: APP, config }),
        PostgresModule.forApp({ app: APP, config }),
        ApiKeyModule,
      ],
      controllers: [
        EndpointsController,
        EndpointHealthController,
        EventsController,
        DeliveriesController,
        DeadLettersController,
        LanesController,
        RecoveriesController,
        ApiKeysController,
        ProjectorConsumer,
      ],
      providers: [
        { provide: Sealer, useFactory: () => new Sealer(config.SECRET_KEYS) },
        { provide: DeadLetterSigner, useFactory: () => new DeadLetterSigner(config.SECRET_KEYS) },
        { provide: ADDRESS_POLICY, useFactory: policy },
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: APP_PIPE, useClass: SchemaPipe },
        { provide: APP_INTERCEPTOR, useClass: DatabaseInterceptor },
        SealingKeys,
        SchemaState,
        GenerationMarkers,
        Generations,
        Standing,
        ConfigurationTopics,
        Comparer,
        ConfigurationWatch,
        ConfigurationSigner,
        ConfigurationPublisher,
        EndpointsService,
        TestEvents,
        HealthQueries,
        HoldsService,
        CoolDowns,
        ApiKeysService,
        AdminKey,
        EventQueries,
        DeliveryQueries,
        DeadLetterQueries,
        DeliveryRetries,
        DeadLetterReplays,
        LaneQueries,
        LaneSkips,
        ParkingGauges,
        RecoveryWorker,
        RecoveriesService,
        OutboxRelay,
        ProjectionWriter,
        Projector,
        ProjectorGaps,
        Janitor,
        {
          provide: KafkaTransport,
          inject: [KAFKA_SETTINGS, Projector, SchemaState, SealingKeys, Database, Health],
          useFactory: transportFor,
        },
      ],
    };
  }
}

function transportFor(
  settings: KafkaSettings,
  projector: Projector,
  schema: SchemaState,
  sealingKeys: SealingKeys,
  database: Database,
  health: Health,
): KafkaTransport {
  const transport = new KafkaTransport(settings, {
    groupId: APP,
    ownership: projector,
    startAfter: () => Promise.all([schema.ready, sealingKeys.allFound]),
    paceMs: FETCH_PACE_MS,
    maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
    drainMs: DRAIN_MS,
    waitsFor: () => database.problem,
  });
  health.addReadiness({ name: 'projector', problem: () => transport.problem() });
  return transport;
}
