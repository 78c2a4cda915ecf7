import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import type { Hook } from '../support/receiver.js';
import { BROKEN_VALUES, recordsWithManyHeaders, strangeRecords } from '../support/strange-records/corpus.js';
import { type GoodTraffic, judgeGoodTraffic } from '../support/strange-records/judge.js';
import { recordsOutOfRange } from '../support/strange-records/out-of-range.js';
import type { StrangeRecord } from '../support/strange-records/strange-record.js';
import { writeStrangeRecords } from '../support/strange-records/write.js';
import { until } from '../support/until.js';
import type { SystemInUse } from '../support/use-system.js';

const SEED = Number(process.env.POSTHORN_SEED ?? Date.now() % 1_000_000);
const EVERY_MS = 100;
const BASELINE_MS = 10_000;
const AFTER_MS = 5_000;
/** Promised latency of good traffic. A slow machine may take twice its latency without strange records. */
const LIMIT_MS = 1_000;
const ARRIVAL_LIMIT_MS = 60_000;

/**
 * Good traffic over both doors, on all partitions, together with strange records on every topic. POSTHORN_SEED repeats
 * a run.
 *
 * @param each number of records of each topic and kind
 */
export function whatStrangeRecordsChange(use: SystemInUse, each: number): void {
  let hook: Hook;
  let goodId: string;
  let sink: Server;
  let records: readonly StrangeRecord[];

  beforeAll(async () => {
    hook = use.receiver.hook();
    goodId = await use.client.createEndpoint(hook, { event_types: ['good.*'] });
    sink = createServer((_, response) => void response.writeHead(200).end());
    await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
    const parkedId = await strangeEndpoint();
    await use.system.request(`${use.system.run.control_url}/v1/endpoints/${parkedId}/pause`, {});
    const cast = { endpointIds: [parkedId, await strangeEndpoint(), 'ep_none'], nowMs: Date.now() };
    const strange = strangeRecords({ seed: SEED, cast, each });
    // This process reads `dlq` by kafkajs itself, which decodes many headers in quadratic time.
    const topics = [...new Set(strange.map(({ topic }) => topic))].filter((topic) => topic !== 'dlq');
    const outOfRange = recordsOutOfRange({ endpointId: goodId, apiKeyId: apiKeyId() });
    records = [...strange, ...brokenConfiguration(), ...outOfRange, ...recordsWithManyHeaders(topics)];
  });

  afterAll(async () => {
    sink.closeAllConnections();
    await new Promise((resolve) => sink.close(resolve));
  });

  it(`given ${each} of each topic and kind, of seed ${SEED}, then good traffic is delivered in time, and no process starts again`, async () => {
    const before = use.system.run.pids;
    const calm = await publishFor(BASELINE_MS);
    await allArrived(calm);
    const baselineMs = Math.max(...calm.map(({ id, at }) => (arrivals().get(id) ?? at) - at));
    const limitMs = Math.max(LIMIT_MS, 2 * baselineMs);

    let endAt = Number.POSITIVE_INFINITY;
    const traffic = publishUntil(() => Date.now() > endAt);
    const kafka = kafkaClient({ clientId: 'outsider', brokers: use.system.run.kafka_brokers, isQuiet: true });
    const written = await writeStrangeRecords(kafka, records).finally(() => {
      endAt = Date.now() + AFTER_MS;
    });
    const published = await traffic;
    await allArrived(published).catch(() => undefined);

    const evidence = { published, arrivedAt: arrivals(), before, after: use.system.run.pids };
    const slowestMs = Math.max(...published.map(({ id, at }) => (arrivals().get(id) ?? Number.NaN) - at));
    process.stderr.write(
      `seed ${SEED}: ${written} strange records, ${published.length} good events, slowest ${slowestMs} ms (${baselineMs} ms before)\n`,
    );
    expect(judgeGoodTraffic({ ...evidence, limitMs })).toEqual([]);
  });

  it('given these records, then ingest, attempts and dlq are read to their ends, and every dead letter is listed', async () => {
    const lagOf = (app: string, topic: string) => use.client.metric(app, 'posthorn_consumer_lag_records', { topic });
    await until('ingest is read', async () => (await lagOf('ingest', 'ingest')) === 0, ARRIVAL_LIMIT_MS);
    await until('attempts is read', async () => (await lagOf('control', 'attempts')) === 0, ARRIVAL_LIMIT_MS);
    const url = `${use.system.run.control_url}/v1/dead-letters/stats`;
    const listed = async () => ((await use.system.request(url)).body as { total: number }).total;
    const lag = () => lagOf('control', 'dlq');
    let counts = { written: 0, listed: 0 };
    await until(
      'dlq is read',
      async () => {
        counts = { written: await recordsOf('dlq'), listed: await listed() };
        return (await lag()) === 0 && counts.listed === counts.written;
      },
      ARRIVAL_LIMIT_MS,
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(counts)}`);
    });
    expect(counts.listed).toBeGreaterThan(each);
    expect(await use.client.metric('control', 'posthorn_projector_rejected_records_total', { topic: 'dlq' })).toBe(0);
    expect(
      await use.client.metric('control', 'posthorn_records_rejected_total', { topic: 'attempts' }),
    ).toBeGreaterThan(each);
    expect(
      await use.client.metric('ingest', 'posthorn_ignored_configuration_records_total', { topic: 'endpoints' }),
    ).toBeGreaterThan(each);
    expect(
      await use.client.metric('ingest', 'posthorn_ignored_configuration_records_total', { topic: 'api-keys' }),
    ).toBeGreaterThan(each);
  });

  it('given these records in the topics, when every app is killed, then it restarts, and good traffic continues', async () => {
    for (const app of ['control', 'ingest', 'dispatcher', 'retry-scheduler']) await use.system.killOne(app).back;
    const published = await publishFor(2_000);
    await allArrived(published);
    expect(published.length).toBeGreaterThan(0);
  });

  async function recordsOf(topic: string): Promise<number> {
    const admin = kafkaClient({ clientId: 'outsider', brokers: use.system.run.kafka_brokers, isQuiet: true }).admin();
    await admin.connect();
    const ends = await admin.fetchTopicOffsets(topic);
    await admin.disconnect();
    return ends.reduce((sum, { high }) => sum + Number(high), 0);
  }

  async function strangeEndpoint(): Promise<string> {
    const { port } = sink.address() as AddressInfo;
    const body = { url: `http://127.0.0.1:${port}/`, event_types: ['strange.*'], tenant: 'strange' };
    const answer = await use.system.request(`${use.system.run.control_url}/v1/endpoints`, body);
    expect(answer.status).toBe(201);
    return (answer.body as { id: string }).id;
  }

  /** Strange records under the keys of endpoints and API keys in use. */
  function brokenConfiguration(): StrangeRecord[] {
    const keyId = apiKeyId();
    const places = [
      ['endpoints', goodId],
      ['api-keys', keyId],
    ] as const;
    return places.flatMap(([topic, key]) =>
      BROKEN_VALUES.map((value) => ({ topic, name: 'broken', key: Buffer.from(key), value, headers: {} })),
    );
  }

  function apiKeyId(): string {
    return /^ph_([^_]+)_/.exec(use.system.run.api_key)?.[1] ?? '';
  }

  function publishFor(ms: number): Promise<GoodTraffic['published']> {
    const end = Date.now() + ms;
    return publishUntil(() => Date.now() > end);
  }

  async function publishUntil(isOver: () => boolean): Promise<GoodTraffic['published']> {
    const published: { id: string; at: number }[] = [];
    for (let number = 0; !isOver(); number++) {
      const at = Date.now();
      const event = { type: 'good.thing', resource_id: `good-${number % 64}`, data: { number } };
      const id = number % 2 === 0 ? await use.client.publish(event) : (await use.client.publishByKafka(event)).id;
      published.push({ id, at });
      await delay(Math.max(0, at + EVERY_MS - Date.now()));
    }
    return published;
  }

  function allArrived(published: GoodTraffic['published']): Promise<unknown> {
    return until(
      'all good events have arrived',
      () => published.every(({ id }) => hook.accepted.has(id)),
      ARRIVAL_LIMIT_MS,
    );
  }

  function arrivals(): Map<string, number> {
    return new Map(hook.hits.map(({ event, at }) => [event.id, at]));
  }
}
