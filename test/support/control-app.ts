import { randomBytes } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { register } from 'prom-client';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { loadConfig } from '#common/config/env.js';
import { ProblemFilter } from '#common/http/problem.filter.js';
import { ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/port/settings.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Database } from '#common/postgres/database.js';
import type { OutRecord } from '#common/records/record.js';
import { AppModule } from '../../apps/control/src/app.module.js';
import { configSchema } from '../../apps/control/src/config.js';
import { createHttpAdapter } from '../../apps/control/src/http-adapter.js';
import { serveOpenApi } from '../../apps/control/src/openapi.js';
import { RecordingConsumer } from './kafka-port/recording-consumer.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase, testBrokers } from './servers.js';
import { until } from './until.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary response bodies.
  readonly body: any;
}

export interface ControlOptions {
  /** Database; by default a new one, which is dropped at the end. */
  readonly databaseUrl?: string;
  readonly prefix?: string;
  readonly adminKey?: string;
  readonly secretKeys?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The control app in this process, on the test servers. One at a time, since its metrics are global to the process. */
export class ControlApp {
  private readonly cleanups: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly app: NestFastifyApplication,
    readonly adminKey: string,
    readonly secretKeys: string,
    private readonly ownDatabase: TestDatabase | undefined,
  ) {}

  static async start(options: ControlOptions = {}): Promise<ControlApp> {
    register.clear();
    const ownDatabase = options.databaseUrl === undefined ? await freshDatabase() : undefined;
    const adminKey = options.adminKey ?? generateApiKey().text;
    const secretKeys = options.secretKeys ?? `k1:${randomBytes(32).toString('base64')}`;
    const config = loadConfig(configSchema, {
      KAFKA_BROKERS: testBrokers().join(','),
      KAFKA_TOPIC_PREFIX: options.prefix ?? freshTopicPrefix(),
      KAFKA_SESSION_TIMEOUT_MS: '10000',
      LOG_PARTITIONS: '2',
      SIDE_PARTITIONS: '2',
      DATABASE_URL: options.databaseUrl ?? ownDatabase?.url,
      SECRET_KEYS: secretKeys,
      ADMIN_API_KEY: adminKey,
      ALLOW_HTTP: 'true',
      ALLOWED_ADDRESSES: '127.0.0.0/8',
      LOG_LEVEL: 'silent',
      ...options.env,
    });
    const module = AppModule.forConfig(config);
    const app = await NestFactory.create<NestFastifyApplication>(module, createHttpAdapter(), { logger: false });
    app.useGlobalFilters(new ProblemFilter());
    serveOpenApi(app);
    app.connectMicroservice({ strategy: app.get(KafkaTransport) });
    await app.init();
    await app.startAllMicroservices();
    const control = new ControlApp(app, adminKey, secretKeys, ownDatabase);
    await until('the control app is ready', async () => (await control.get('/health/ready')).status === 200);
    await until('the admin key works', async () => (await control.get('/v1/endpoints')).status === 200);
    return control;
  }

  get database(): Database {
    return this.app.get(Database);
  }

  get kafka(): KafkaClient {
    return this.app.get<KafkaClient>(KAFKA_CLIENT);
  }

  get settings(): KafkaSettings {
    return this.app.get<KafkaSettings>(KAFKA_SETTINGS);
  }

  get = (url: string, key?: string): Promise<Answer> => this.request('GET', url, undefined, key);
  post = (url: string, body?: unknown, key?: string): Promise<Answer> => this.request('POST', url, body, key);
  patch = (url: string, body: unknown, key?: string): Promise<Answer> => this.request('PATCH', url, body, key);
  delete = (url: string, key?: string): Promise<Answer> => this.request('DELETE', url, undefined, key);

  /** @param key by default the admin key; an empty text sends no key */
  async request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    key = this.adminKey,
  ): Promise<Answer> {
    const headers = key === '' ? {} : { authorization: `Bearer ${key}` };
    const response = await this.app.inject({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const isJson = response.headers['content-type']?.toString().includes('json') && response.body !== '';
    return { status: response.statusCode, headers: response.headers, body: isJson ? response.json() : response.body };
  }

  /** Creates a key of a tenant with these scopes, and waits until it is valid. */
  async keyFor(tenant: string, scopes: readonly string[] = ['admin']): Promise<string> {
    const created = await this.post('/v1/api-keys', { tenant, scopes });
    const { key } = created.body as { key: string };
    await until('the key works', async () => (await this.get('/v1/endpoints', key)).status !== 401);
    return key;
  }

  write(...records: OutRecord[]): Promise<void> {
    return this.app.get<RecordWriter>(RECORD_WRITER).write(records);
  }

  /** All records of these topics, from their start. */
  async follow(...topics: string[]): Promise<RecordingConsumer> {
    const groupId = `test-${randomBytes(4).toString('hex')}`;
    const consumer = new RecordingConsumer(this.settings, { groupId, topics });
    this.cleanups.push(() => consumer.stop());
    await consumer.start();
    return consumer;
  }

  /** A configuration topic from the view of a service: the highest version of each key. */
  async table(topic: string): Promise<Map<string, { readonly version: number }>> {
    const rows = new Map<string, { readonly version: number }>();
    const versions = new Map<string, number>();
    const table = new ConfigurationTable(this.kafka, {
      topic,
      apply: ({ key, value, change }) => {
        const row = value === null ? undefined : JSON.parse(value.toString());
        if (row !== undefined && typeof row.version !== 'number') throw new Error('the record has no version');
        const version = change?.version ?? row?.version ?? 0;
        if (version < (versions.get(key) ?? 0)) return;
        versions.set(key, version);
        if (row === undefined) rows.delete(key);
        else rows.set(key, row);
      },
    });
    this.cleanups.push(() => table.stop());
    await table.start();
    return rows;
  }

  async stop(): Promise<void> {
    for (const cleanup of this.cleanups.splice(0).reverse()) await cleanup();
    await this.app.close();
    await this.ownDatabase?.drop();
    register.clear();
  }
}
