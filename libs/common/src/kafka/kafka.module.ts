import {
  type DynamicModule,
  Inject,
  Injectable,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { RecordProducer } from './producer.js';
import { KAFKA_SETTINGS, type KafkaConfig, type KafkaSettings, kafkaSettings } from './settings.js';
import { ensureTopics } from './topic-admin.js';

/** Creates or checks the topics, then connects the producer, before anything else of the app starts. */
@Injectable()
class KafkaLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(RecordProducer) private readonly producer: RecordProducer,
  ) {}

  async onModuleInit(): Promise<void> {
    await ensureTopics(this.settings);
    await this.producer.connect();
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
        { provide: KAFKA_SETTINGS, useValue: kafkaSettings(options.app, options.config, endProcess) },
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

/** A process whose consumer has died looks alive and does nothing; ended, it is started again. */
function endProcess(error: Error): void {
  new Logger(KafkaModule.name).fatal({ err: error }, 'consumer.died');
  process.exit(1);
}
