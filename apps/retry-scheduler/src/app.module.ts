import { type DynamicModule, Module } from '@nestjs/common';
import { KafkaModule } from '#common/kafka/kafka.module.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Health } from '#common/observability/health.js';
import { ObservabilityModule } from '#common/observability/observability.module.js';
import { maxBatchBytes } from '#common/records/topics.js';
import type { SchedulerConfig } from './config.js';
import { registerMemoryGauges } from './metrics.js';
import { RetryConsumer } from './retry.consumer.js';
import { Returner } from './returner.js';
import { Scheduler } from './scheduler.js';

const APP = 'retry-scheduler';

/** Least time between two fetches. The shortest wait of a delivery is 100 ms, so 20 ms more do not matter. */
const FETCH_PACE_MS = 20;

/** How long a fetch waits for a first record. A resumed partition may wait this long for its next fetch. */
const FETCH_WAIT_MS = 250;

@Module({})
export class AppModule {
  static forConfig(config: SchedulerConfig): DynamicModule {
    const limits = {
      eagerBytes: config.EAGER_BUFFER_BYTES,
      tierBytes: config.TIER_BUFFER_BYTES,
      batchBytes: maxBatchBytes(config.MAX_EVENT_BYTES),
    };
    return {
      module: AppModule,
      imports: [
        ObservabilityModule.forApp({ app: APP, level: config.LOG_LEVEL }),
        KafkaModule.forApp({ app: APP, config }),
      ],
      controllers: [RetryConsumer],
      providers: [
        Returner,
        {
          provide: Scheduler,
          inject: [Returner],
          useFactory: (returner: Returner) => new Scheduler(returner, limits, Date.now),
        },
        { provide: KafkaTransport, inject: [KAFKA_CLIENT, Scheduler, Health], useFactory: createTransport },
      ],
    };
  }
}

function createTransport(kafka: KafkaClient, scheduler: Scheduler, health: Health): KafkaTransport {
  const transport = new KafkaTransport(kafka, {
    groupId: APP,
    ownership: scheduler,
    paceMs: FETCH_PACE_MS,
    maxWaitMs: FETCH_WAIT_MS,
    waitsFor: (log) => scheduler.waitsFor(log),
  });
  health.addReadiness({
    name: 'tiers',
    problem: () => transport.problem(),
    warning: () => transport.warning(),
  });
  registerMemoryGauges(() => scheduler.held());
  return transport;
}
