import { type DynamicModule, Module } from '@nestjs/common';
import { ApiKeyModule } from '#common/api-keys/api-key.module.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Generations } from '#common/generations/generations.js';
import { LogPositions } from '#common/generations/log-positions.js';
import { KafkaModule } from '#common/kafka/kafka.module.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Health } from '#common/observability/health.js';
import { ObservabilityModule } from '#common/observability/observability.module.js';
import { Database } from '#common/postgres/database.js';
import { DatabaseNote } from '#common/postgres/database-note.js';
import { PostgresModule } from '#common/postgres/postgres.module.js';
import { EventRoutes, ROUTE_LIMITS } from './api/event-routes.js';
import { OpenApiController } from './api/openapi.controller.js';
import { EventPublisher, PUBLISH_PRODUCER, PUBLISHER_LIMITS } from './api/publisher.js';
import type { IngestConfig } from './config.js';
import { exposeDatabase } from './metrics.js';
import { EndpointIndex } from './router/endpoint-index.js';
import { EventArchive } from './router/event-archive.js';
import { IngestGenerations } from './router/ingest-generations.js';
import { RouterConsumer } from './router/router.consumer.js';
import { ROUTER_LIMITS, Router } from './router/router.js';

/** Least time between two fetches. The cost of the router grows with batches, not with events. */
const FETCH_PACE_MS = 4;
/** Unfinished records per pace. With more in flight, a fetch waits for more paces, so the next batch is larger. */
const RECORDS_PER_PACE = 32;

@Module({})
export class AppModule {
  static forConfig(config: IngestConfig): DynamicModule {
    const { MAX_EVENT_BYTES: maxEventBytes } = config;
    return {
      module: AppModule,
      imports: [
        ObservabilityModule.forApp({ app: 'ingest', level: config.LOG_LEVEL }),
        KafkaModule.forApp({ app: 'ingest', config, producers: [PUBLISH_PRODUCER] }),
        PostgresModule.forApp({ app: 'ingest', config }),
        ApiKeyModule,
      ],
      controllers: [OpenApiController, RouterConsumer],
      providers: [
        {
          provide: ROUTE_LIMITS,
          useValue: { maxEventBytes, maxEvents: config.MAX_BATCH_EVENTS, maxBatchBytes: config.MAX_BATCH_BYTES },
        },
        {
          provide: PUBLISHER_LIMITS,
          useValue: {
            maxEventBytes,
            maxWaitingRequests: config.MAX_WAITING_REQUESTS,
            maxWaitingBytes: config.MAX_WAITING_BYTES,
            timeoutMs: config.ACCEPT_TIMEOUT_MS,
          },
        },
        { provide: ROUTER_LIMITS, useValue: { maxEventBytes, queueBytes: config.ROUTER_QUEUE_BYTES } },
        DatabaseNote,
        EventRoutes,
        EventPublisher,
        EventArchive,
        GenerationMarkers,
        Generations,
        LogPositions,
        EndpointIndex,
        IngestGenerations,
        Router,
        {
          provide: KafkaTransport,
          inject: [KAFKA_CLIENT, Router, EndpointIndex, Database, Health],
          useFactory: createTransport,
        },
      ],
    };
  }
}

function createTransport(
  kafka: KafkaClient,
  router: Router,
  endpoints: EndpointIndex,
  database: Database,
  health: Health,
): KafkaTransport {
  const transport = new KafkaTransport(kafka, {
    groupId: 'router',
    ownership: router,
    paceMs: FETCH_PACE_MS,
    recordsPerPace: RECORDS_PER_PACE,
    startAfter: () => endpoints.caughtUp,
    waitsFor: () => database.problem,
  });
  exposeDatabase(() => database.problem === undefined);
  health.addReadiness({
    name: 'router',
    problem: () => transport.problem(),
    warning: () => transport.warning(),
  });
  return transport;
}
