import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateApiKey } from '#common/security/api-key.js';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { type AppName, type AppProcess, AppProcesses } from './app-processes.js';

/** Short, so that a frozen process loses its partitions while a test waits. */
const SESSION_TIMEOUT_MS = 10_000;

interface Parts {
  folder: string;
  kafka: Awaited<ReturnType<typeof startKafka>>;
  postgres: Awaited<ReturnType<typeof startPostgres>>;
  processes: AppProcesses;
  /** Variables of every app. */
  env: NodeJS.ProcessEnv;
  /** Further variables of single processes, by their names. */
  envs: Map<string, NodeJS.ProcessEnv>;
  /** Of an admin. */
  apiKey: string;
}

/**
 * A system of its own whose every process a test may kill, freeze, stop and start: Kafka, PostgreSQL and the apps, run
 * from the built files. Nothing is started again by itself.
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
   * @param env what all apps get besides the usual
   * @param postgresSettings of the server, `name=value`
   * @param home holds the `dist` of the apps; this checkout when missing
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

  /** Runs `work` while no app runs. Each is stopped in order, and started again. */
  async withoutApps(work: () => Promise<void>): Promise<void> {
    const all = this.processes.all();
    await Promise.all(all.map(({ server }) => server.stop()));
    await work();
    await Promise.all(all.map(({ server }) => server.start()));
  }

  /** Kafka loses all it has; PostgreSQL does not. */
  async replaceKafka(): Promise<void> {
    await this.withoutApps(async () => {
      await this.kafka.stop();
      rmSync(join(this.folder, 'kafka', 'data'), { recursive: true });
      await this.kafka.start();
    });
  }

  /** @param env further variables */
  add(app: AppName, instance = 0, env: NodeJS.ProcessEnv = {}): Promise<AppProcess> {
    this.envs.set(`${app}-${instance}`, env);
    return this.processes.add(app, instance);
  }

  /** Starts a process that is not to become ready. */
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

  metric(app: AppProcess, name: string): Promise<number> {
    return this.processes.metric(app, name);
  }

  async stop(): Promise<void> {
    await this.processes.stop();
    await Promise.all([this.kafka.stop(), this.postgres.stop()]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** What every app of a system made for tests gets. */
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
