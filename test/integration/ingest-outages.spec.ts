import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import * as metrics from '../../apps/ingest/src/metrics.js';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { IngestApp } from '../support/ingest-app.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** A separate Kafka, which the tests stop, and a PostgreSQL behind a proxy that cuts it off. */
describe('ingest while a server is away', () => {
  let folder: string;
  let kafka: Awaited<ReturnType<typeof startKafka>>;
  let server: TestDatabase;
  let proxy: TcpProxy;
  let ingest: IngestApp;
  let key: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'posthorn-ingest-'));
    server = await freshDatabase();
    const { hostname, port } = new URL(server.url);
    [kafka, proxy] = await Promise.all([
      startKafka({ dir: folder, port: await freePort(), heapMb: 256 }),
      TcpProxy.before({ host: hostname, port: Number(port) }),
    ]);
    const throughProxy = Object.assign(new URL(server.url), { port: String(proxy.port) }).href;
    const env = { ACCEPT_TIMEOUT_MS: '1000', ROUTER_QUEUE_BYTES: '20000' };
    ingest = await IngestApp.start({ brokers: kafka.brokers, databaseUrl: throughProxy, env });
    key = await ingest.keyFor('acme', ['write']);
    await ingest.addEndpoint({ tenant: 'acme' });
  }, 120_000);
  afterAll(async () => {
    await ingest.stop();
    await Promise.all([kafka.kill(), proxy.close()]);
    await server.drop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }, 60_000);

  const publish = (id: string, resource = id) =>
    ingest.post('/v1/events', JSON.stringify({ id, type: 'a', resource_id: resource, data: 'x'.repeat(500) }), key);
  const arrived = (ids: readonly string[], timeoutMs = 60_000) =>
    until(
      `${ids.length} deliveries`,
      () => {
        const seen = new Set(ingest.deliveredIds());
        return ids.every((id) => seen.has(id));
      },
      timeoutMs,
    );

  it('given PostgreSQL away, then events are accepted, wait within limits, and are routed in order afterwards', async () => {
    proxy.cut();
    const ids = Array.from({ length: 300 }, (_, index) => `waiting-${index}`);
    for (const id of ids) expect((await publish(id, 'one')).status).toBe(202);
    const available = async () =>
      (await register.getSingleMetric('posthorn_router_database_available')?.get())?.values[0]?.value;
    await until('the router says what it waits for', async () => (await available()) === 0);
    expect((await ingest.get('/health/ready')).status).toBe(200);
    const bytes = (await metrics.queuedBytes.get()).values[0]?.value ?? 0;
    expect(bytes).toBeLessThan(2 * 1_048_576);
    expect(ingest.deliveriesOf('waiting-0')).toEqual([]);

    proxy.restore();
    await arrived(ids);
    const order = ids.flatMap((id) => ingest.deliveriesOf(id)).map(({ record }) => record.offset);
    expect(order).toHaveLength(ids.length);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    await until('nothing waits', async () => (await metrics.queuedBytes.get()).values[0]?.value === 0);
  }, 90_000);

  it('given PostgreSQL away at the start, then the API accepts events with keys from memory, and they are routed later', async () => {
    proxy.cut();
    await ingest.restart();
    expect((await publish('early')).status).toBe(202);
    proxy.restore();
    await arrived(['early']);
  }, 90_000);

  it('given Kafka away, then 503 within the timeout, and no event with a 202 is lost', async () => {
    await ingest.restart({ MAX_WAITING_REQUESTS: '8' });
    const accepted: string[] = [];
    let refused = 0;
    let isDone = false;
    let next = 0;
    const producer = async () => {
      while (!isDone) {
        const id = `flood-${next++}`;
        const { status, headers } = await publish(id);
        if (status === 202) accepted.push(id);
        else {
          refused++;
          expect([status, headers.get('retry-after')]).toEqual([503, '2']);
        }
      }
    };
    // Twice the limit of waiting requests: half are rejected at once, the others after the timeout.
    const producers = Promise.all(Array.from({ length: 16 }, producer));
    await until('some are accepted', () => accepted.length > 100);
    await kafka.kill();
    const refusedBefore = refused;
    await until('more are refused', () => refused > refusedBefore + 16);
    const refusedAt = Date.now();
    expect(await publish('refused')).toMatchObject({ status: 503, body: { code: 'EVENT_LOG_UNAVAILABLE' } });
    expect(Date.now() - refusedAt).toBeLessThan(5_000);
    await kafka.start();
    const before = accepted.length;
    await until('accepted again', () => accepted.length > before + 100, 60_000);
    isDone = true;
    await producers;
    await arrived(accepted);
  }, 180_000);
});
