import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appService, CONTROL, WORKERS } from '../lib/apps.mjs';
import { startKafka } from '../lib/kafka.mjs';
import { appNode } from '../lib/node-binary.mjs';
import { freePort } from '../lib/ports.mjs';
import { startPostgres } from '../lib/postgres.mjs';
import { newApiKey } from '../lib/secrets.mjs';
import { Server } from '../lib/server.mjs';
import { stopSignal } from '../lib/stop-signal.mjs';
import { diskBytes } from './disk-usage.mjs';
import { readStats, usageOf } from './process-usage.mjs';

/** The whole system for a benchmark, in a folder of its own: Kafka, PostgreSQL and one process of each app. */
export class BenchSystem {
  /** @type {Map<string, { port: number, server: Server }>} */
  apps = new Map();
  apiKey = newApiKey();
  #secretKeys = `bench:${randomBytes(32).toString('base64')}`;

  /**
   * @param {string} dir
   * @param {Awaited<ReturnType<typeof startKafka>>} kafka
   * @param {Awaited<ReturnType<typeof startPostgres>>} postgres
   */
  constructor(dir, kafka, postgres) {
    this.dir = dir;
    this.kafka = kafka;
    this.postgres = postgres;
  }

  /** Starts everything and waits until it is ready. */
  static async start() {
    const dir = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
    const [kafka, postgres] = await Promise.all([
      startKafka({ dir: join(dir, 'kafka'), port: await freePort() }),
      startPostgres({ dir: join(dir, 'postgres'), port: await freePort() }),
    ]);
    const system = new BenchSystem(dir, kafka, postgres);
    void stopSignal().requested.then(async () => {
      await system.stop();
      process.exit(1);
    });
    await system.#startApp(CONTROL);
    await Promise.all(WORKERS.map((app) => system.#startApp(app)));
    return system;
  }

  /** @param {string} app */
  port(app) {
    return this.apps.get(app)?.port ?? 0;
  }

  /**
   * Calls an API with the admin key.
   *
   * @param {'ingest' | 'control'} app
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<any>}
   */
  async post(app, path, body) {
    return (await this.call(app, 'POST', path, body)).json();
  }

  /**
   * @param {'ingest' | 'control'} app
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  async call(app, method, path, body) {
    const response = await fetch(`http://127.0.0.1:${this.port(app)}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** A second dispatcher, beside the first. */
  async addDispatcher() {
    await this.#startApp({ name: 'dispatcher', portName: 'DISPATCHER_PORT' }, 1);
  }

  /** CPU used so far, by process. */
  usage() {
    return mapUsage(this.#servers(), ({ cpuSeconds }) => cpuSeconds);
  }

  /**
   * @param {Record<string, number>} before
   * @returns {Record<string, number>} CPU seconds used since, by process
   */
  cpuSince(before) {
    return Object.fromEntries(Object.entries(this.usage()).map(([name, now]) => [name, now - (before[name] ?? 0)]));
  }

  /** @returns {Record<string, number>} of each app, the broker, and PostgreSQL's first process */
  peakRssMb() {
    return mapUsage(this.#servers(), ({ peakRssMb }) => peakRssMb);
  }

  /** Bytes of the topics, and of PostgreSQL's tables and indexes without its log. */
  async diskBytes() {
    const [kafka, postgres] = await Promise.all([
      diskBytes(join(this.dir, 'kafka', 'data')),
      diskBytes(join(this.dir, 'postgres', 'data', 'base')),
    ]);
    return { kafka, postgres };
  }

  async stop() {
    await Promise.all([...this.apps.values()].map(({ server }) => server.stop()));
    await Promise.all([this.kafka.stop(), this.postgres.stop()]);
    await rm(this.dir, { recursive: true, force: true });
  }

  #servers() {
    const apps = [...this.apps].map(([name, { server }]) => /** @type {const} */ ([name, server]));
    return [...apps, /** @type {const} */ (['kafka', this.kafka]), /** @type {const} */ (['postgres', this.postgres])];
  }

  /**
   * @param {import('../lib/apps.mjs').App} app
   * @param {number} [instance]
   */
  async #startApp(app, instance = 0) {
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
      SECRET_KEYS: this.#secretKeys,
      ADMIN_API_KEY: this.apiKey,
      ALLOW_HTTP: 'true',
      ALLOWED_ADDRESSES: '127.0.0.0/8,::1/128',
    };
  }
}

/**
 * @param {readonly (readonly [string, Server])[]} servers
 * @param {(usage: NonNullable<ReturnType<typeof usageOf>>) => number} pick
 * @returns {Record<string, number>} without those that cannot be read
 */
function mapUsage(servers, pick) {
  const stats = readStats();
  return Object.fromEntries(
    servers.flatMap(([name, { pid }]) => {
      const usage = pid === undefined ? undefined : usageOf(pid, stats);
      return usage ? [[name, pick(usage)]] : [];
    }),
  );
}
