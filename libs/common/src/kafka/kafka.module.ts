import {
  type DynamicModule,
  Inject,
  Injectable,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Health } from '../observability/health.js';
import { RecordProducer } from './producer.js';
import { KAFKA_SETTINGS, type KafkaConfig, type KafkaSettings, kafkaSettings } from './settings.js';
import { ensureTopics } from './topic-admin.js';

/** DI token of what resolves {@link KafkaSettings.topicsReady}. */
const TOPICS_READY = Symbol('TopicsReady');

/**
 * Creates or checks the topics and connects the producer. The app does not wait for it: its HTTP side answers, and tells
 * that it is not ready, while Kafka is away.
 */
@Injectable()
class KafkaLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(TOPICS_READY) private readonly topicsReady: PromiseWithResolvers<void>,
    @Inject(RecordProducer) private readonly producer: RecordProducer,
    @Inject(Health) private readonly health: Health,
  ) {}

  onModuleInit(): void {
    let problem: string | undefined = 'waiting for a broker';
    this.health.addReadiness({ name: 'kafka', problem: () => problem });
    ensureTopics(this.settings)
      .then(() => this.producer.connect())
      .then(() => {
        problem = undefined;
        this.topicsReady.resolve();
      })
      .catch(this.settings.onFatal);
  }

  /** Consumers have stopped by now (Nest closes microservices before this hook), so nothing more is written. */
  async onApplicationShutdown(): Promise<void> {
    await this.producer.close();
  }
}

/** Kafka for one app: settings, topics and the shared producer. */
@Module({})
export class KafkaModule {
  static forApp(options: { app: string; config: KafkaConfig }): DynamicModule {
    return {
      module: KafkaModule,
      global: true,
      providers: [
        { provide: TOPICS_READY, useFactory: () => Promise.withResolvers<void>() },
        {
          provide: KAFKA_SETTINGS,
          inject: [TOPICS_READY],
          useFactory: (ready: PromiseWithResolvers<void>) =>
            kafkaSettings(options.app, options.config, { topicsReady: ready.promise, onFatal: endProcess }),
        },
        {
          provide: RecordProducer,
          useFactory: (settings: KafkaSettings) => new RecordProducer(settings),
          inject: [KAFKA_SETTINGS],
        },
        KafkaLifecycle,
      ],
      exports: [KAFKA_SETTINGS, RecordProducer],
    };
  }
}

/** A process whose consumer has died, or whose topics are wrong, looks alive and does nothing; ended, it is started again. */
function endProcess(error: Error): void {
  new Logger(KafkaModule.name).fatal({ err: error }, 'kafka.fatal');
  process.exit(1);
}
