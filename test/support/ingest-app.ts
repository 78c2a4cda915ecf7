import { randomBytes } from 'node:crypto';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { register } from 'prom-client';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { loadConfig } from '#common/config/env.js';
import { ProblemFilter } from '#common/http/problem.filter.js';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { type KafkaSettings, kafkaSettings } from '#common/kafka/port/settings.js';
import { KafkaTransport } from '#common/kafka/transport.js';
import { Database } from '#common/postgres/database.js';
import { migrate } from '#common/postgres/migrate.js';
import { DELIVERY_HEADER, type DeliveryMeta, decodeDelivery } from '#common/records/delivery-record.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { markers } from '../../apps/control/src/configuration/marker.js';
import { createHttpAdapter } from '../../apps/ingest/src/api/http-adapter.js';
import { AppModule } from '../../apps/ingest/src/app.module.js';
import { configSchema } from '../../apps/ingest/src/config.js';
import { ENDPOINT } from './endpoint-record.js';
import { RecordingConsumer } from './kafka-port/recording-consumer.js';
import { freshTopicPrefix } from './servers.js';
import { until } from './until.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests read arbitrary response bodies.
  readonly body: any;
}

/** The ingest app in this process, with its HTTP server, and its records in `deliveries` and `dlq`. */
export class IngestApp {
  private app: NestFastifyApplication | undefined;

  private constructor(
    private readonly env: NodeJS.ProcessEnv,
    readonly settings: KafkaSettings,
    readonly producer: RecordProducer,
    private readonly output: RecordingConsumer,
    readonly database: Database,
  ) {}

  static async start(options: {
    readonly brokers: readonly string[];
    readonly databaseUrl: string;
    readonly env?: NodeJS.ProcessEnv;
  }): Promise<IngestApp> {
    const env = {
      KAFKA_BROKERS: options.brokers.join(','),
      KAFKA_TOPIC_PREFIX: freshTopicPrefix(),
      DATABASE_URL: options.databaseUrl,
      LOG_PARTITIONS: '2',
      SIDE_PARTITIONS: '2',
      KAFKA_SESSION_TIMEOUT_MS: '10000',
      INSTANCE: 'ingest-test',
      PORT: '0',
      LOG_LEVEL: 'silent',
      ...options.env,
    };
    const settings = testSettings(env);
    await Promise.all([kafkaClient(settings).ensureTopics(), migrate(options.databaseUrl)]);
    const producer = kafkaClient(settings).producer();
    const output = new RecordingConsumer(settings, { groupId: 'test', topics: ['deliveries', 'dlq'] });
    await Promise.all([producer.connect(), output.start()]);
    // Control's markers: without them the app waits for its configuration.
    await producer.write(markers({ sequence: 1, id: 'test' }));
    const database = new Database({ url: options.databaseUrl, poolSize: 1, applicationName: 'test' });
    const ingest = new IngestApp(env, settings, producer, output, database);
    await ingest.restart();
    return ingest;
  }

  /** Restarts the app. */
  async restart(env: NodeJS.ProcessEnv = {}): Promise<void> {
    await this.stopApp();
    // A process has one metrics registry, and the tests start several apps one after the other.
    register.clear();
    const config = loadConfig(configSchema, { ...this.env, ...env });
    const adapter = createHttpAdapter(config);
    const module = AppModule.forConfig(config);
    const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: false });
    app.useGlobalFilters(new ProblemFilter());
    app.connectMicroservice({ strategy: app.get(KafkaTransport) });
    this.app = app;
    await app.listen(0, '127.0.0.1');
    await app.startAllMicroservices();
    await until('the ingest app is ready', async () => (await this.get('/health/ready')).status === 200, 30_000);
  }

  async stopApp(): Promise<void> {
    await this.app?.close();
    this.app = undefined;
  }

  async stop(): Promise<void> {
    await this.stopApp();
    await Promise.all([this.output.stop(), this.producer.close(), this.database.close()]);
    register.clear();
  }

  /** A provider of the running app. */
  part<T>(type: Type<T> | symbol): T {
    if (this.app === undefined) throw new Error('the ingest app does not run');
    return this.app.get(type);
  }

  get url(): string {
    const address = this.app?.getHttpServer().address();
    if (address === null || typeof address !== 'object') throw new Error('the ingest app does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Creates a key with these scopes, and waits until it is valid. A null tenant makes an admin key. */
  async keyFor(tenant: string | null, scopes: readonly string[] = ['admin']): Promise<string> {
    const { id, text, hash } = generateApiKey();
    const record = { v: 1, id, version: 1, hash, tenant, scopes, expires_at: null };
    await this.producer.write([{ topic: 'api-keys', key: id, value: JSON.stringify(record) }]);
    await until('the key works', async () => (await this.post('/v1/events', '', text)).status !== 401);
    return text;
  }

  /** Creates an endpoint, and waits until events reach it. */
  async addEndpoint(over: Partial<EndpointRecord> & Pick<EndpointRecord, 'tenant'>): Promise<string> {
    const id = `ep_${randomBytes(4).toString('hex')}`;
    await this.putEndpoint({ id, ...over });
    const type = (over.event_types?.[0] ?? '*').replace('*', 'probe');
    await until('the endpoint takes events', async () => {
      const probe = { id: `probe-${randomBytes(4).toString('hex')}`, type, tenant: over.tenant, data: null };
      await this.write({ key: probe.id, value: JSON.stringify(probe) });
      return this.deliveries().some(({ meta }) => meta.endpointId === id);
    });
    return id;
  }

  async putEndpoint(over: Partial<EndpointRecord> & Pick<EndpointRecord, 'tenant' | 'id'>): Promise<void> {
    const endpoint: EndpointRecord = { ...ENDPOINT, ...over };
    await this.producer.write([{ topic: 'endpoints', key: endpoint.id, value: JSON.stringify(endpoint) }]);
  }

  /** Writes records to `ingest`, as any Kafka client may. */
  write(...records: Omit<OutRecord, 'topic'>[]): Promise<void> {
    return this.producer.write(records.map((record) => ({ topic: 'ingest', ...record })));
  }

  async get(path: string): Promise<Answer> {
    return answerOf(await fetch(this.url + path));
  }

  async post(path: string, body: string | Buffer, key?: string, headers: Record<string, string> = {}): Promise<Answer> {
    const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const all = { 'content-type': 'application/json', ...authorization, ...headers };
    return answerOf(
      await fetch(this.url + path, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers: all }),
    );
  }

  in(topic: 'deliveries' | 'dlq'): readonly InRecord[] {
    return this.output.records.filter((record) => record.topic === topic);
  }

  /** Event ids of the deliveries, in order. */
  deliveredIds(): string[] {
    return this.in('deliveries').flatMap(({ headers }) => decodeDelivery(headers[DELIVERY_HEADER])?.eventId ?? []);
  }

  deliveriesOf(eventId: string): Delivered[] {
    return this.deliveries().filter(({ meta }) => meta.eventId === eventId);
  }

  private deliveries(): Delivered[] {
    return this.in('deliveries').flatMap((record) => {
      const meta = decodeDelivery(record.headers[DELIVERY_HEADER]);
      return meta === undefined ? [] : [{ record, meta, body: JSON.parse(String(record.value)) }];
    });
  }
}

export interface Delivered {
  readonly record: InRecord;
  readonly meta: DeliveryMeta;
  readonly body: Record<string, unknown>;
}

function testSettings(env: NodeJS.ProcessEnv): KafkaSettings {
  return kafkaSettings('test', loadConfig(configSchema, env), {
    topicsReady: Promise.resolve(),
    onFatal: (error) => {
      throw error;
    },
  });
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
