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
import { TopicKeeper } from './topic-keeper.js';

/** DI token of what resolves {@link KafkaSettings.topicsReady}. */
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
 * Creates or checks the topics and connects the producers. The app does not wait for it: its HTTP side answers, and tells
 * that it is not ready, while Kafka is away.
 */
@Injectable()
class KafkaLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(TOPICS_READY) private readonly topicsReady: PromiseWithResolvers<void>,
    @Inject(PRODUCERS) private readonly producers: readonly RecordProducer[],
    @Inject(Health) private readonly health: Health,
    @Inject(TopicKeeper) private readonly keeper: TopicKeeper,
  ) {}

  onModuleInit(): void {
    let problem: string | undefined = 'waiting for a broker';
    this.health.addReadiness({ name: 'kafka', problem: () => problem });
    ensureTopics(this.settings)
      .then(() => Promise.all(this.producers.map((producer) => producer.connect())))
      .then(() => {
        problem = undefined;
        this.topicsReady.resolve();
        this.keeper.start();
      })
      .catch(this.settings.onFatal);
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
    const tokens = [RecordProducer, ...(options.producers ?? [])];
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
        ...tokens.map((provide) => ({
          provide,
          useFactory: (settings: KafkaSettings) => new RecordProducer(settings),
          inject: [KAFKA_SETTINGS],
        })),
        {
          provide: TopicKeeper,
          useFactory: (settings: KafkaSettings) => new TopicKeeper(settings),
          inject: [KAFKA_SETTINGS],
        },
        { provide: PRODUCERS, useFactory: (...all: RecordProducer[]) => all, inject: tokens },
        KafkaLifecycle,
      ],
      exports: [KAFKA_SETTINGS, TopicKeeper, ...tokens],
    };
  }
}

/** A process whose consumer has died, or whose topics are wrong, looks alive and does nothing; ended, it is started again. */
function endProcess(error: Error): void {
  new Logger(KafkaModule.name).fatal({ err: error }, 'kafka.fatal');
  process.exit(1);
}
