import { Module } from '@nestjs/common';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Health } from '#common/observability/health.js';
import { Database } from '#common/postgres/database.js';
import { SchemaModule } from '../schema/schema.module.js';
import { SchemaState } from '../schema/schema-state.js';
import { SealingKeys } from '../secrets/sealing-keys.js';
import { SecretsModule } from '../secrets/secrets.module.js';
import { GenerationsModule } from '../shared/generations.module.js';
import { ProjectorGaps } from './gaps.js';
import { ProjectionWriter } from './projection-writer.js';
import { ProjectorConsumer } from './projector.consumer.js';
import { Projector } from './projector.js';

/** The consumer group. */
const GROUP_ID = 'control';
/** Least time between two fetches. Outcomes are written in batches, and readers of outcomes notice no delay of this length. */
const FETCH_PACE_MS = 50;
/** All outcomes of an endpoint are in one partition: some thousands of them. */
const FETCH_BYTES_PER_PARTITION = 524_288;
/** Longest wait of a rebalance, or of a stop, for the writes of read records. */
const DRAIN_MS = 3_000;

@Module({
  imports: [SchemaModule, SecretsModule, GenerationsModule],
  controllers: [ProjectorConsumer],
  providers: [
    ProjectionWriter,
    Projector,
    ProjectorGaps,
    {
      provide: KafkaTransport,
      inject: [KAFKA_CLIENT, Projector, SchemaState, SealingKeys, Database, Health],
      useFactory: transportFor,
    },
  ],
})
export class ProjectorModule {}

function transportFor(
  kafka: KafkaClient,
  projector: Projector,
  schema: SchemaState,
  sealingKeys: SealingKeys,
  database: Database,
  health: Health,
): KafkaTransport {
  const transport = new KafkaTransport(kafka, {
    groupId: GROUP_ID,
    ownership: projector,
    startAfter: () => Promise.all([schema.ready, sealingKeys.allFound]),
    paceMs: FETCH_PACE_MS,
    maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
    finishMs: DRAIN_MS,
    waitsFor: () => database.problem,
  });
  health.addReadiness({
    name: 'projector',
    problem: () => transport.problem(),
    warning: () => transport.warning(),
  });
  return transport;
}
