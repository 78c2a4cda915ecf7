import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appService, CONTROL, WORKERS } from '../lib/apps.mjs';
import { buildApps } from '../lib/build.mjs';
import { startKafka } from '../lib/kafka.mjs';
import { appNode } from '../lib/node-binary.mjs';
import { freePort } from '../lib/ports.mjs';
import { startPostgres } from '../lib/postgres.mjs';
import { newApiKey } from '../lib/secrets.mjs';
import { Server } from '../lib/server.mjs';

/** The whole system for a benchmark, in a folder of its own: Kafka, PostgreSQL and one process of each app. */
export class BenchSystem {
  /** @type {Map<string, { port: number, server: Server }>} */
  apps = new Map();
  apiKey = newApiKey();

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

  /** Builds, starts everything and waits until it is ready. */
  static async start() {
    await buildApps({ note: () => undefined });
    const dir = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
    const [kafka, postgres] = await Promise.all([
      startKafka({ dir: join(dir, 'kafka'), port: await freePort() }),
      startPostgres({ dir: join(dir, 'postgres'), port: await freePort() }),
    ]);
    const system = new BenchSystem(dir, kafka, postgres);
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
    const response = await fetch(`http://127.0.0.1:${this.port(app)}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async stop() {
    await Promise.all([...this.apps.values()].map(({ server }) => server.stop()));
    await Promise.all([this.kafka.stop(), this.postgres.stop()]);
    await rm(this.dir, { recursive: true, force: true });
  }

  /** @param {import('../lib/apps.mjs').App} app */
  async #startApp(app) {
    const port = await freePort();
    const server = new Server(
      appService(app, { node: appNode(), port, env: this.#env() }),
      join(this.dir, `${app.name}.log`),
    );
    this.apps.set(app.name, { port, server });
    await server.start();
  }

  #env() {
    return {
      ...process.env,
      KAFKA_BROKERS: this.kafka.brokers.join(','),
      DATABASE_URL: this.postgres.url,
      SECRET_KEYS: `bench:${randomBytes(32).toString('base64')}`,
      ADMIN_API_KEY: this.apiKey,
      ALLOW_HTTP: 'true',
      ALLOWED_ADDRESSES: '127.0.0.0/8,::1/128',
    };
  }
}
