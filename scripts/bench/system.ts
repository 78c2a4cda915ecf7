import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, appService, CONTROL, WORKERS } from '../lib/apps.mjs';
import { startKafka } from '../lib/kafka.mjs';
import { appNode } from '../lib/node-binary.mjs';
import { freePort } from '../lib/ports.mjs';
import { startPostgres } from '../lib/postgres.mjs';
import { newApiKey } from '../lib/secrets.mjs';
import { Server } from '../lib/server.mjs';
import { stopSignal } from '../lib/stop-signal.mjs';
import { diskBytes } from './disk-usage.ts';
import { readStats, usageOf } from './process-usage.ts';

const beginning = new Set<Promise<BenchSystem>>();
const running = new Set<BenchSystem>();
let isListening = false;

/** The first signal stops all systems, also those that are starting, and ends the process. */
function listenForSignals() {
  if (isListening) return;
  isListening = true;
  void stopSignal().requested.then(async () => {
    await Promise.allSettled(beginning);
    await Promise.all([...running].map((system) => system.stop()));
    process.exit(1);
  });
}

/** The whole system of a benchmark, in its own folder: Kafka, PostgreSQL and one process of each app. */
export class BenchSystem {
  readonly dir: string;
  readonly kafka: Awaited<ReturnType<typeof startKafka>>;
  readonly postgres: Awaited<ReturnType<typeof startPostgres>>;
  readonly apps = new Map<string, { port: number; server: Server }>();
  readonly apiKey = newApiKey();
  readonly secretKeys = `bench:${randomBytes(32).toString('base64')}`;
  readonly #appEnv: NodeJS.ProcessEnv;
  /** Apps end because the benchmark does. */
  isStopping = false;

  constructor(
    dir: string,
    kafka: BenchSystem['kafka'],
    postgres: BenchSystem['postgres'],
    appEnv: NodeJS.ProcessEnv = {},
  ) {
    this.dir = dir;
    this.kafka = kafka;
    this.postgres = postgres;
    this.#appEnv = appEnv;
  }

  /**
   * Starts servers and apps, and waits until they are ready.
   *
   * @param appEnv additional environment of the apps
   * @throws Error when one does not start; the others are stopped
   */
  static start(appEnv: NodeJS.ProcessEnv = {}): Promise<BenchSystem> {
    listenForSignals();
    const starting = BenchSystem.#start(appEnv).finally(() => beginning.delete(starting));
    beginning.add(starting);
    return starting;
  }

  static async #start(appEnv: NodeJS.ProcessEnv) {
    const dir = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
    const starting = [
      startKafka({ dir: join(dir, 'kafka'), port: await freePort() }),
      startPostgres({ dir: join(dir, 'postgres'), port: await freePort() }),
    ] as const;
    const [kafka, postgres] = await Promise.all(starting).catch(async (error) => {
      for (const server of await Promise.allSettled(starting)) {
        if (server.status === 'fulfilled') await server.value.stop();
      }
      await rm(dir, { recursive: true, force: true });
      throw error;
    });
    const system = new BenchSystem(dir, kafka, postgres, appEnv);
    running.add(system);
    try {
      await system.#startApp(CONTROL);
      await Promise.all(WORKERS.map((app) => system.#startApp(app)));
    } catch (error) {
      await system.stop();
      throw error;
    }
    return system;
  }

  port(app: string) {
    return this.apps.get(app)?.port ?? 0;
  }

  /** Calls an API with the admin key. */
  async post<Answer>(app: 'ingest' | 'control', path: string, body: unknown): Promise<Answer> {
    const response = await this.call(app, 'POST', path, body);
    return JSON.parse(await response.text());
  }

  async call(app: 'ingest' | 'control', method: string, path: string, body?: unknown) {
    const response = await fetch(`http://127.0.0.1:${this.port(app)}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** Starts a second dispatcher. */
  async addDispatcher() {
    await this.#startApp({ name: 'dispatcher', portName: 'DISPATCHER_PORT' }, 1);
  }

  /** Stops the apps. Servers and data stay. */
  async stopApps() {
    await Promise.all([...this.apps.values()].map(({ server }) => server.stop()));
  }

  /**
   * Starts a stopped app again.
   *
   * @returns seconds until it is ready
   * @throws Error when it ends before, or is not ready within a minute
   */
  async startAgain(app: string) {
    const startedAt = performance.now();
    await this.apps.get(app)?.server.start();
    return (performance.now() - startedAt) / 1_000;
  }

  /** CPU used so far, by process. */
  usage() {
    return mapUsage(this.#servers(), ({ cpuSeconds }) => cpuSeconds);
  }

  /** @returns CPU seconds used since `before`, by process */
  cpuSince(before: Record<string, number>): Record<string, number> {
    return Object.fromEntries(Object.entries(this.usage()).map(([name, now]) => [name, now - (before[name] ?? 0)]));
  }

  /** @returns process ids of the apps, the broker, and PostgreSQL's first process */
  peakRssMb(): Record<string, number> {
    return mapUsage(this.#servers(), ({ peakRssMb }) => peakRssMb);
  }

  /** Disk bytes of the topics, and of PostgreSQL's tables and indexes, without the WAL. */
  async diskBytes() {
    const [kafka, postgres] = await Promise.all([
      diskBytes(join(this.dir, 'kafka', 'data')),
      diskBytes(join(this.dir, 'postgres', 'data', 'base')),
    ]);
    return { kafka, postgres };
  }

  async stop() {
    this.isStopping = true;
    await Promise.all([...this.apps.values()].map(({ server }) => server.stop()));
    await Promise.all([this.kafka.stop(), this.postgres.stop()]);
    await rm(this.dir, { recursive: true, force: true });
    running.delete(this);
  }

  #servers() {
    const apps = [...this.apps].map(([name, { server }]) => [name, server] as const);
    return [...apps, ['kafka', this.kafka] as const, ['postgres', this.postgres] as const];
  }

  async #startApp(app: App, instance = 0) {
    const name = instance === 0 ? app.name : `${app.name}-${instance}`;
    const port = await freePort();
    const server = new Server(
      appService(app, { node: appNode(), port, env: this.#env(), instance }),
      join(this.dir, `${name}.log`),
    );
    this.apps.set(name, { port, server });
    await server.start();
  }

  #env() {
    return {
      ...process.env,
      KAFKA_BROKERS: this.kafka.brokers.join(','),
      DATABASE_URL: this.postgres.url,
      SECRET_KEYS: this.secretKeys,
      ADMIN_API_KEY: this.apiKey,
      ALLOW_HTTP: 'true',
      ALLOWED_ADDRESSES: '127.0.0.0/8,::1/128',
      ...this.#appEnv,
    };
  }
}

/** @returns usage of the processes that can be read */
function mapUsage(
  servers: readonly (readonly [string, Server])[],
  pick: (usage: NonNullable<ReturnType<typeof usageOf>>) => number,
): Record<string, number> {
  const stats = readStats();
  return Object.fromEntries(
    servers.flatMap(([name, { pid }]) => {
      const usage = pid === undefined ? undefined : usageOf(pid, stats);
      return usage ? [[name, pick(usage)]] : [];
    }),
  );
}
