import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { optionsOrExit } from '../lib/options.mjs';
import { freePort } from '../lib/ports.mjs';
import { until } from '../lib/until.mjs';
import { readMetrics } from './app-metrics.ts';
import { Ipc } from './ipc.ts';
import { benchKafkaSettings } from './kafka-settings.ts';
import type { Latencies, Listening } from './messages.ts';
import { percentiles } from './percentiles.ts';
import { BenchSystem } from './system.ts';

/** Promise for 47 healthy endpoints next to three bad ones, relative to the same run without bad ones. */
const MOST_P99_RATIO = 1.5;
const LEAST_THROUGHPUT_RATIO = 0.9;
/**
 * Largest memory growth of the dispatcher in the second half of the flood. A queue in memory would grow 100 times as
 * much.
 */
const MOST_GROWTH_MB = 40;
/**
 * Share of the flood after which the dispatcher's throughput is steady, and V8 has taken the memory of its limits (scripts/lib/apps.mjs).
 */
const SETTLED_SHARE = 0.5;

const ENDPOINTS = 50;
const BAD = ['hang', 'slow', 'refuse'];
const TICK_MS = 20;
/** Warm-up: code is compiled and connections are open, so that the first run is not slower. */
const WARM_UP_S = 15;
const SAMPLE_MS = 1_000;
/** Share of the flood that must be parked. Other deliveries are in memory, in tiers, or dead. */
const PARKED_SHARE = 0.95;
const PARKING_LIMIT_MS = 300_000;

/**
 * Runs the same load twice: with 50 healthy endpoints, then with three bad ones: one hangs, one answers after 5 s, one
 * refuses connections. Then events flood the three, while the benchmark measures the dispatcher's memory.
 *
 * @param args `--rate` events per second over all endpoints, `--seconds` of each run, `--flood` deliveries
 * @returns whether the promises were kept
 */
export async function run(args: string[]): Promise<boolean> {
  const options = {
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '30' },
    flood: { type: 'string', default: '200000' },
  } as const;
  const values = optionsOrExit(options, { args });
  const load = { rate: Number(values.rate), seconds: Number(values.seconds) };
  const system = await BenchSystem.start();
  const receiver = new Ipc(new URL('./isolation-receiver.ts', import.meta.url));
  const producer = kafkaClient(benchKafkaSettings(system.kafka.brokers)).producer();
  try {
    const { listening } = await receiver.next<Listening>();
    await producer.connect();
    console.log(
      `${load.rate} events/s to ${ENDPOINTS} endpoints for ${load.seconds} s, twice; then ${values.flood} to the bad ones`,
    );
    const warmUp = { rate: load.rate, seconds: WARM_UP_S };
    await measure(system, receiver, producer, warmUp, { name: 'warm', url: () => `http://127.0.0.1:${listening}/ok` });
    const healthy = await measure(system, receiver, producer, load, {
      name: 'well',
      url: () => `http://127.0.0.1:${listening}/ok`,
    });
    const refusing = await freePort();
    const url = (number: number) => badUrl(number, listening, refusing);
    const besideBad = await measure(system, receiver, producer, load, { name: 'beside', url });
    const memory = await flood(system, producer, Number(values.flood));
    return report(healthy, besideBad, memory);
  } finally {
    receiver.close();
    await producer.close();
    await system.stop();
  }
}

/**
 * @param number of the endpoint
 * @param port of the receiver
 * @param refusing a closed port
 */
function badUrl(number: number, port: number, refusing: number) {
  const behaviour = BAD[number];
  if (behaviour === 'refuse') return `http://127.0.0.1:${refusing}/refuse`;
  return `http://127.0.0.1:${port}/${behaviour ?? 'ok'}`;
}

async function measure(
  system: BenchSystem,
  receiver: Ipc,
  producer: RecordProducer,
  load: { rate: number; seconds: number },
  { name, url }: { name: string; url: (number: number) => string },
) {
  for (let number = 0; number < ENDPOINTS; number++) {
    const endpoint = { url: `${url(number)}/${number}`, event_types: [`${name}.e${number}`], timeout_ms: 10_000 };
    await system.post('control', '/v1/endpoints', endpoint);
  }
  await delay(2_000);
  await receiver.ask('report');
  const startedAt = Date.now();
  let sent = 0;
  while (Date.now() - startedAt < load.seconds * 1_000) {
    const due = Math.floor(((Date.now() - startedAt) * load.rate) / 1_000);
    const numbers = Array.from({ length: due - sent }, (_, index) => sent + index);
    if (numbers.length > 0)
      await publish(
        producer,
        numbers.map((number) => event(name, number, number % ENDPOINTS)),
      );
    sent = due;
    await delay(TICK_MS);
  }
  const seconds = (Date.now() - startedAt) / 1_000;
  const { latencies } = await receiver.ask<Latencies>('report');
  return { ...percentiles(latencies), perSecond: latencies.length / seconds };
}

async function flood(system: BenchSystem, producer: RecordProducer, total: number) {
  const rssMb = async () => (await readMetrics(system.port('dispatcher')))('process_resident_memory_bytes') / 1_048_576;
  let before = await rssMb();
  let peak = before;
  let sampledAt = 0;
  for (let sent = 0; sent < total; sent += 500) {
    await publish(
      producer,
      Array.from({ length: 500 }, (_, index) => event('beside', `f${sent + index}`, (sent + index) % BAD.length)),
    );
    if (Date.now() - sampledAt < SAMPLE_MS) continue;
    sampledAt = Date.now();
    peak = Math.max(peak, await rssMb());
  }
  const isParked = async () => {
    const [now, parked] = [await rssMb(), (await readMetrics(system.port('control')))('posthorn_parked_deliveries')];
    peak = Math.max(peak, now);
    if (parked <= total * SETTLED_SHARE) before = peak;
    return parked >= total * PARKED_SHARE;
  };
  await until('they are parked', isParked, { timeoutMs: PARKING_LIMIT_MS, everyMs: SAMPLE_MS });
  return { before, peak, after: await rssMb(), deliveries: total };
}

function event(name: string, id: number | string, endpoint: number) {
  const value = {
    id: `${name}-${id}`,
    type: `${name}.e${endpoint}`,
    resource_id: `r${id}`,
    data: { at: Date.now(), fill: 'x'.repeat(300) },
  };
  return { key: value.resource_id, value: JSON.stringify(value) };
}

async function publish(producer: RecordProducer, events: { key: string; value: string }[]) {
  await producer.write(events.map((published) => ({ topic: 'ingest', ...published })));
}

function report(
  healthy: Awaited<ReturnType<typeof measure>>,
  besideBad: Awaited<ReturnType<typeof measure>>,
  memory: Awaited<ReturnType<typeof flood>>,
) {
  const result = {
    benchmark: 'isolation',
    alone: healthy,
    beside_bad: besideBad,
    p99_ratio: besideBad.p99 / Math.max(1, healthy.p99),
    throughput_ratio: besideBad.perSecond / healthy.perSecond,
    rss_mb: { settled: memory.before, peak: memory.peak, after: memory.after },
    flooded: memory.deliveries,
    load_average: Number(loadavg()[0]?.toFixed(2)),
    is_kept: false,
  };
  result.is_kept =
    result.p99_ratio <= MOST_P99_RATIO &&
    result.throughput_ratio >= LEAST_THROUGHPUT_RATIO &&
    memory.peak - memory.before <= MOST_GROWTH_MB;
  console.table({ 'all healthy': healthy, 'beside three bad ones': besideBad });
  console.log(
    `p99 ${result.p99_ratio.toFixed(2)} times (at most ${MOST_P99_RATIO}), throughput ${result.throughput_ratio.toFixed(2)} of it (at least ${LEAST_THROUGHPUT_RATIO})`,
  );
  console.log(
    `dispatcher: ${memory.before.toFixed(0)} MB after half of ${memory.deliveries} deliveries for the bad ones, at most ${memory.peak.toFixed(0)} MB, ${memory.after.toFixed(0)} MB after`,
  );
  console.log(`all kept: ${result.is_kept ? 'yes' : 'NO'}`);
  console.log(JSON.stringify(result));
  return result.is_kept;
}
