import { Inject, Injectable, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ConfigurationTable } from '../kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '../kafka/port/kafka-client.js';
import { Health } from '../observability/health.js';
import { API_KEYS_TOPIC } from '../records/topics.js';
import { ApiKeyTable } from './api-key-table.js';

/** Keeps {@link ApiKeyTable} as the topic has it. */
@Injectable()
class ApiKeyReader implements OnModuleInit, OnModuleDestroy {
  private readonly reader: ConfigurationTable;

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    private readonly table: ApiKeyTable,
    health: Health,
  ) {
    this.reader = new ConfigurationTable(kafka, {
      topic: API_KEYS_TOPIC,
      apply: ({ key, value, change }) => table.apply(key, value, change?.version),
    });
    health.addReadiness({ name: 'api-keys', problem: () => this.reader.completeProblem() });
  }

  onModuleInit(): void {
    const markComplete = () => {
      this.table.isComplete = true;
    };
    this.reader.startComplete().then(markComplete, this.kafka.settings.onFatal);
  }

  async onModuleDestroy(): Promise<void> {
    await this.reader.stop();
  }
}

/** Gives the API keys to the guards of the module that imports it. Needs the global Kafka module. */
@Module({ providers: [ApiKeyTable, ApiKeyReader], exports: [ApiKeyTable] })
export class ApiKeyModule {}
