import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Generations } from '#common/generations/generations.js';
import { LogPositions } from '#common/generations/log-positions.js';
import { Sender } from '#common/http/sender.js';
import { KafkaModule } from '#common/kafka/kafka.module.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Health } from '#common/observability/health.js';
import { ObservabilityModule } from '#common/observability/observability.module.js';
import { Database } from '#common/postgres/database.js';
import { DatabaseNote } from '#common/postgres/database-note.js';
import { LaneCommands } from '#common/postgres/lane-commands.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { LaneStore } from '#common/postgres/lane-store.js';
import { PostgresModule } from '#common/postgres/postgres.module.js';
import { maxBatchBytes } from '#common/records/topics.js';
import { addressPolicy } from '#common/security/address-policy.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { Sealer } from '#common/security/sealing.js';
import { Attempter } from './attempts/attempter.js';
import { Attempts } from './attempts/attempts.js';
import { TURN_LIMITS, Turns } from './attempts/turns.js';
import type { DispatcherConfig } from './config.js';
import { MEMORY_LIMITS, MemoryBudget } from './deliveries/memory-budget.js';
import { RECORD_LIMITS } from './deliveries/record-limits.js';
import { REPLAY_LIMITS, ReplayCheck } from './deliveries/replay-check.js';
import { DeliveriesConsumer } from './deliveries.consumer.js';
import { DeliveryEngine } from './delivery-engine.js';
import { Deferrals } from './endpoints/deferrals.js';
import { DIRECTORY_LIMITS, EndpointDirectory } from './endpoints/endpoint-directory.js';
import { DRAIN_LIMITS, Gates } from './endpoints/gates.js';
import { UnfinishedDeliveries } from './endpoints/unfinished-deliveries.js';
import { CarryOver } from './generations/carry-over.js';
import { DeliveryGenerations } from './generations/delivery-generations.js';
import { Drainer } from './lanes/drainer.js';
import { LANE_COLLABORATORS, type LaneCollaborators } from './lanes/lane-collaborators.js';
import { LogOwners } from './lanes/log-owners.js';
import { LostHeads } from './lanes/lost-heads.js';
import { ParkedLaneKeeper } from './lanes/parked-lane-keeper.js';
import { ReadAhead } from './lanes/read-ahead.js';

/** Least time between two fetches: deliveries arrive in batches, and each batch has a cost (measured: docs/adr/0002). */
const FETCH_PACE_MS = 4;
/** Many more than a few endpoints have in flight: no slot of an endpoint waits for a fetch. */
const RECORDS_PER_PACE = 128;

/** The two top folders: they import the folders below, and no folder below imports them. */
const GENERATIONS: Provider[] = [GenerationMarkers, Generations, LogPositions, CarryOver, DeliveryGenerations];
const LANES: Provider[] = [
  { provide: LaneStore, inject: [Database], useFactory: (database: Database) => new LaneStore(database) },
  { provide: LaneLimits, inject: [Database], useFactory: (database: Database) => new LaneLimits(database) },
  { provide: LaneCommands, inject: [Database], useFactory: (database: Database) => new LaneCommands(database) },
  ReadAhead,
  {
    provide: LANE_COLLABORATORS,
    inject: [Gates, Turns, UnfinishedDeliveries, ReadAhead],
    useFactory: laneCollaborators,
  },
  LogOwners,
  LostHeads,
  Drainer,
  ParkedLaneKeeper,
];

@Module({})
export class AppModule {
  static forConfig(config: DispatcherConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ObservabilityModule.forApp({ app: 'dispatcher', level: config.LOG_LEVEL }),
        KafkaModule.forApp({ app: 'dispatcher', config }),
        PostgresModule.forApp({ app: 'dispatcher', config, readsByKey: true }),
      ],
      controllers: [DeliveriesConsumer],
      providers: [
        { provide: Sealer, useFactory: () => new Sealer(config.SECRET_KEYS) },
        { provide: DeadLetterSigner, useFactory: () => new DeadLetterSigner(config.SECRET_KEYS) },
        { provide: REPLAY_LIMITS, useValue: { requiresMac: config.REQUIRE_SIGNED_RECORDS } },
        ReplayCheck,
        { provide: Sender, useFactory: () => senderOf(config) },
        {
          provide: MEMORY_LIMITS,
          useValue: {
            endpointQueue: config.ENDPOINT_QUEUE_LIMIT,
            slowAfterMs: config.SLOW_AFTER_MS,
            bytes: config.MEMORY_LIMIT_BYTES,
          },
        },
        { provide: RECORD_LIMITS, useValue: { batchBytes: maxBatchBytes(config.MAX_EVENT_BYTES) } },
        { provide: TURN_LIMITS, useValue: { recentDeliveries: config.RECENT_DELIVERIES } },
        { provide: DIRECTORY_LIMITS, useValue: { openBytes: config.OPEN_ENDPOINTS_BYTES } },
        DatabaseNote,
        EndpointDirectory,
        Attempter,
        Attempts,
        Turns,
        MemoryBudget,
        { provide: DRAIN_LIMITS, useValue: { perSecond: config.DRAIN_PER_SECOND } },
        Gates,
        UnfinishedDeliveries,
        Deferrals,
        ...GENERATIONS,
        ...LANES,
        DeliveryEngine,
        {
          provide: KafkaTransport,
          inject: [KAFKA_CLIENT, DeliveryEngine, EndpointDirectory, Database, Health],
          useFactory: createTransport,
        },
      ],
    };
  }
}

function senderOf({
  ALLOW_HTTP: allowHttp,
  ALLOWED_ADDRESSES: allowedAddresses,
  MAX_CONNECTIONS_OUT,
}: DispatcherConfig) {
  return new Sender({ policy: addressPolicy({ allowHttp, allowedAddresses }), maxConnections: MAX_CONNECTIONS_OUT });
}

function laneCollaborators(
  holds: Gates,
  turns: Turns,
  unfinished: UnfinishedDeliveries,
  readAhead: ReadAhead,
): LaneCollaborators {
  return { holds, turns, unfinished, readAhead };
}

function createTransport(
  kafka: KafkaClient,
  engine: DeliveryEngine,
  directory: EndpointDirectory,
  database: Database,
  health: Health,
): KafkaTransport {
  const transport = new KafkaTransport(kafka, {
    groupId: 'dispatcher',
    ownership: engine,
    paceMs: FETCH_PACE_MS,
    recordsPerPace: RECORDS_PER_PACE,
    startAfter: () => directory.ready,
    waitsFor: (log) => database.problem ?? engine.waitsFor(log),
  });
  health.addReadiness({
    name: 'deliveries',
    problem: () => transport.problem(),
    warning: () => transport.warning(),
  });
  return transport;
}
