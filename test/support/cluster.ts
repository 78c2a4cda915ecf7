import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateApiKey } from '#common/api-keys/api-key.js';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { type AppName, type AppProcess, AppProcesses } from './app-processes.js';
import { until } from './until.js';

/** Short session timeout, so that a frozen process loses its partitions within a test. */
const SESSION_TIMEOUT_MS = 10_000;

interface Parts {
  folder: string;
  kafka: Awaited<ReturnType<typeof startKafka>>;
  postgres: Awaited<ReturnType<typeof startPostgres>>;
  processes: AppProcesses;
  /** Environment of every app. */
  env: NodeJS.ProcessEnv;
  /** Further variables of single processes, by name of the process. */
  envs: Map<string, NodeJS.ProcessEnv>;
  /** API key of an admin. */
  apiKey: string;
}

/**
 * A system for one test file: Kafka, PostgreSQL and the apps, run from the built files. A test may kill, freeze, stop
 * and start each process. No supervisor restarts them.
 */
export class Cluster {
  readonly folder: string;
  readonly kafka: Parts['kafka'];
  readonly postgres: Parts['postgres'];
  readonly processes: AppProcesses;
  readonly env: NodeJS.ProcessEnv;
  readonly apiKey: string;
  private readonly envs: Parts['envs'];

  private constructor(parts: Parts) {
    this.folder = parts.folder;
    this.kafka = parts.kafka;
    this.postgres = parts.postgres;
    this.processes = parts.processes;
    this.env = parts.env;
    this.apiKey = parts.apiKey;
    this.envs = parts.envs;
  }

  /**
   * @param env further variables of all apps
   * @param postgresSettings settings of the server, `name=value`
   * @param home folder of the apps' `dist`; by default this checkout
   */
  static async start(
    env: NodeJS.ProcessEnv = {},
    postgresSettings: readonly string[] = [],
    home?: string,
  ): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-cluster-'));
    const [kafka, postgres] = await Promise.all([
      startKafka({ dir: join(folder, 'kafka'), port: await freePort() }),
      startPostgres({
        dir: join(folder, 'postgres'),
        port: await freePort(),
        isDurable: false,
        settings: [...postgresSettings],
      }),
    ]);
    const apiKey = generateApiKey().text;
    const shared = { ...process.env, ...appSettings(kafka.brokers, postgres.url, apiKey), ...env };
    const envs = new Map<string, NodeJS.ProcessEnv>();
    const envOf = (name: string) => ({ ...shared, ...envs.get(name) });
    const processes = new AppProcesses({ folder, envOf, apiKey, home });
    const cluster = new Cluster({ folder, kafka, postgres, processes, env: shared, envs, apiKey });
    try {
      await processes.add('control');
      await Promise.all([processes.add('ingest'), processes.add('dispatcher'), processes.add('retry-scheduler')]);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Stops all apps in order, runs `work`, and starts them again. */
  async withoutApps(work: () => Promise<void>): Promise<void> {
    const all = this.processes.all();
    await Promise.all(all.map(({ server }) => server.stop()));
    await work();
    await Promise.all(all.map(({ server }) => server.start()));
  }

  /** Deletes Kafka's data; PostgreSQL keeps its data. */
  async replaceKafka(): Promise<void> {
    await this.withoutApps(() => this.wipeKafka());
  }

  /** Restarts Kafka without its data, while no app runs. */
  async wipeKafka(): Promise<void> {
    await this.kafka.stop();
    rmSync(join(this.folder, 'kafka', 'data'), { recursive: true });
    await this.kafka.start();
  }

  /** @param env further variables */
  add(app: AppName, instance = 0, env: NodeJS.ProcessEnv = {}): Promise<AppProcess> {
    this.envs.set(`${app}-${instance}`, env);
    return this.processes.add(app, instance);
  }

  /** Starts a process that must not become ready. */
  async begin(app: AppName, instance: number, env: NodeJS.ProcessEnv): Promise<AppProcess> {
    this.envs.set(`${app}-${instance}`, env);
    const { process, ready } = await this.processes.begin(app, instance);
    ready.catch(() => undefined);
    return process;
  }

  remove(gone: AppProcess): Promise<void> {
    return this.processes.remove(gone);
  }

  app(app: AppName, instance = 0): AppProcess {
    return this.processes.get(app, instance);
  }

  call<Body>(app: 'ingest' | 'control', path: string, request?: { method?: string; body?: unknown }): Promise<Body> {
    return this.processes.call<Body>(app, path, request);
  }

  /** The answer of `/health/ready`; empty while the app does not listen. */
  readiness(app: AppName): Promise<string> {
    return fetch(`${this.app(app).url}/health/ready`).then(
      (response) => response.text(),
      () => '',
    );
  }

  untilReadinessSays(app: AppName, text: string, timeoutMs = 60_000): Promise<void> {
    return until(`${app} says "${text}"`, async () => (await this.readiness(app)).includes(text), timeoutMs);
  }

  metric(app: AppProcess, name: string): Promise<number> {
    return this.processes.metric(app, name);
  }

  async stop(): Promise<void> {
    await this.processes.stop();
    await Promise.all([this.kafka.stop(), this.postgres.stop()]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Environment of every app in a system for tests. */
export function appSettings(brokers: readonly string[], databaseUrl: string, apiKey: string): NodeJS.ProcessEnv {
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
