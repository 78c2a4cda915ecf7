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
import { kafkaClient } from './connect.js';
import { KAFKA_CLIENT, type KafkaClient } from './port/kafka-client.js';
import { RECORD_WRITER, type RecordProducer } from './port/record-writer.js';
import { KAFKA_SETTINGS, type KafkaConfig, kafkaSettings } from './port/settings.js';
import { TOPIC_IDS, type TopicKeeper } from './port/topics.js';

/** DI token of the resolvers of {@link KafkaSettings.topicsReady}. */
const TOPICS_READY = Symbol('TopicsReady');
/** DI token of all producers of the app. */
const PRODUCERS = Symbol('Producers');

export interface KafkaModuleOptions {
  readonly app: string;
  readonly config: KafkaConfig;
  /** DI tokens of further producers, for writes that must not wait behind those of the shared one. */
  readonly producers?: readonly symbol[];
}

/**
 * Creates or checks the topics and connects the producers. The app does not wait for it: its HTTP side answers, and says
 * that it is not ready, while Kafka is away.
 */
@Injectable()
class KafkaLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(KAFKA_CLIENT) private readonly client: KafkaClient,
    @Inject(TOPICS_READY) private readonly topicsReady: PromiseWithResolvers<void>,
    @Inject(PRODUCERS) private readonly producers: readonly RecordProducer[],
    private readonly health: Health,
    @Inject(TOPIC_IDS) private readonly keeper: TopicKeeper,
  ) {}

  onModuleInit(): void {
    let problem: string | undefined = 'waiting for a broker';
    this.health.addReadiness({ name: 'kafka', problem: () => problem, warning: () => this.keeper.warning() });
    this.client
      .ensureTopics()
      .then(() => Promise.all(this.producers.map((producer) => producer.connect())))
      .then(() => {
        problem = undefined;
        this.topicsReady.resolve();
        this.keeper.start();
      })
      .catch(this.client.settings.onFatal);
  }

  /** Consumers have stopped by now (Nest closes microservices before this hook), so nothing more is written. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.keeper.stop(), ...this.producers.map((producer) => producer.close())]);
  }
}

/** Kafka for one app: settings, topics and producers. */
@Module({})
export class KafkaModule {
  static forApp(options: KafkaModuleOptions): DynamicModule {
    const tokens = [RECORD_WRITER, ...(options.producers ?? [])];
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
        { provide: KAFKA_CLIENT, useFactory: kafkaClient, inject: [KAFKA_SETTINGS] },
        ...tokens.map((provide) => ({
          provide,
          useFactory: (client: KafkaClient) => client.producer(),
          inject: [KAFKA_CLIENT],
        })),
        { provide: TOPIC_IDS, useFactory: (client: KafkaClient) => client.topicKeeper(), inject: [KAFKA_CLIENT] },
        { provide: PRODUCERS, useFactory: (...all: RecordProducer[]) => all, inject: tokens },
        KafkaLifecycle,
      ],
      exports: [KAFKA_SETTINGS, KAFKA_CLIENT, TOPIC_IDS, ...tokens],
    };
  }
}

/** A process whose consumer has died, or whose topics are wrong, looks alive and does nothing; ended, it is started again. */
function endProcess(error: Error): void {
  new Logger(KafkaModule.name).fatal({ err: error }, 'kafka.fatal');
  process.exit(1);
}
