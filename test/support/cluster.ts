import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateApiKey } from '#common/security/api-key.js';
import { appService } from '../../scripts/lib/apps.mjs';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { Server } from '../../scripts/lib/server.mjs';
import { until } from './until.js';

type AppName = 'ingest' | 'control' | 'dispatcher' | 'retry-scheduler';

/** One process of an app. */
export interface AppProcess {
  readonly name: string;
  readonly url: string;
  readonly server: Server;
}

/** Short, so that a frozen process loses its partitions while a test waits. */
const SESSION_TIMEOUT_MS = 10_000;

/**
 * A system of its own whose every process a test may kill, freeze, stop and start: Kafka, PostgreSQL and the apps, run
 * from the built files. Nothing is started again by itself.
 */
export class Cluster {
  private readonly processes: AppProcess[] = [];

  private constructor(
    private readonly folder: string,
    readonly kafka: Awaited<ReturnType<typeof startKafka>>,
    readonly postgres: Awaited<ReturnType<typeof startPostgres>>,
    private readonly env: NodeJS.ProcessEnv,
    readonly apiKey: string,
  ) {}

  /** @param env what all apps get besides the usual */
  static async start(env: NodeJS.ProcessEnv = {}): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-cluster-'));
    const [kafka, postgres] = await Promise.all([
      startKafka({ dir: join(folder, 'kafka'), port: await freePort() }),
      startPostgres({ dir: join(folder, 'postgres'), port: await freePort(), isDurable: false }),
    ]);
    const apiKey = generateApiKey().text;
    const cluster = new Cluster(
      folder,
      kafka,
      postgres,
      { ...process.env, ...settings(kafka.brokers, postgres.url, apiKey), ...env },
      apiKey,
    );
    await cluster.add('control');
    await Promise.all([cluster.add('ingest'), cluster.add('dispatcher'), cluster.add('retry-scheduler')]);
    return cluster;
  }

  /** Starts one more process of an app, and waits until it is ready. */
  async add(app: AppName, instance = 0): Promise<AppProcess> {
    const port = await freePort();
    const name = `${app}-${instance}`;
    const service = appService({ name: app } as Parameters<typeof appService>[0], {
      node: process.execPath,
      port,
      env: this.env,
      instance,
    });
    const server = new Server({ ...service, name }, join(this.folder, `${name}.log`));
    await server.start();
    const added = { name, url: `http://127.0.0.1:${port}`, server };
    this.processes.push(added);
    return added;
  }

  /** Ends a process as `npm start` would; it is forgotten. */
  async remove(gone: AppProcess): Promise<void> {
    this.processes.splice(this.processes.indexOf(gone), 1);
    await gone.server.stop();
  }

  app(app: AppName, instance = 0): AppProcess {
    const found = this.processes.find(({ name }) => name === `${app}-${instance}`);
    if (found === undefined) throw new Error(`no process ${app}-${instance}`);
    return found;
  }

  /** Calls an API with the admin key. @throws Error when it does not answer 2xx */
  async call<Body>(
    app: 'ingest' | 'control',
    path: string,
    request: { method?: string; body?: unknown } = {},
  ): Promise<Body> {
    const { method = request.body === undefined ? 'GET' : 'POST', body } = request;
    const response = await fetch(`${this.app(app).url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Body;
  }

  /** The sum of a metric over its labels, as one process tells it. */
  async metric(app: AppProcess, name: string): Promise<number> {
    const text = await (await fetch(`${app.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map(({ server }) => server.stop()));
    await Promise.all([this.kafka.stop(), this.postgres.stop()]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function settings(brokers: readonly string[], databaseUrl: string, apiKey: string): NodeJS.ProcessEnv {
  return {
    KAFKA_BROKERS: brokers.join(','),
    KAFKA_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
    DATABASE_URL: databaseUrl,
    SECRET_KEYS: `test:${randomBytes(32).toString('base64')}`,
    ADMIN_API_KEY: apiKey,
    ALLOW_HTTP: 'true',
    ALLOWED_ADDRESSES: '127.0.0.0/8,::1/128',
    LOG_LEVEL: 'info',
  };
}

/** A process was killed: waits until it is gone and starts it anew. */
export async function startAgain({ server, name }: AppProcess): Promise<void> {
  await until(`${name} has ended`, () => !server.isAlive);
  await server.start();
}
