import { setTimeout as delay } from 'node:timers/promises';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { optionsOrExit } from '../lib/options.mjs';
import { until } from '../lib/until.mjs';
import { readMetrics } from './app-metrics.ts';
import { Flood } from './flood.ts';
import { benchKafkaSettings } from './kafka-settings.ts';
import { retryRecord } from './retry-load.ts';
import { sampleOf, Watch } from './samples.ts';
import { BenchSystem } from './system.ts';

const BATCH = 500;
const SAMPLE_MS = 1_000;
const RESOURCES = 100_000;
const EVENT_BYTES = 500;
/** Delays longer than the benchmark: deliveries wait in all tiers above the first two. */
const WAITS_MS = [1_800_000, 7_200_000, 36_000_000, 172_800_000];
/** Time until garbage of parking and retrying is collected. */
const SETTLE_MS = 20_000;
/** Longest time without a further parked delivery; after it the benchmark fails. */
const STALLED_MS = 60_000;
/** Memory limit of each app, in MiB. */
const MOST_MB = 250;

/**
 * Measures the apps' memory while many deliveries wait: first parked behind a paused endpoint, then also in the
 * tiers.
 *
 * @param args `--deliveries` of each kind
 * @returns whether every app stayed below {@link MOST_MB}
 */
export async function run(args: string[]): Promise<boolean> {
  const values = optionsOrExit({ deliveries: { type: 'string', default: '1000000' } }, { args });
  const total = Number(values.deliveries);
  const system = await BenchSystem.start();
  const producer = kafkaClient(benchKafkaSettings(system.kafka.brokers)).producer();
  try {
    await producer.connect();
    const phases = { before: await residentMb(system) };
    const parking = new Watch(system, SAMPLE_MS);
    const parkedS = await park(system, producer, total);
    Object.assign(phases, { parking: (await parking.stop()).rssMb, parked: await settled(system) });
    const tiers = new Watch(system, SAMPLE_MS);
    await fillTiers(producer, total);
    Object.assign(phases, { 'filling tiers': (await tiers.stop()).rssMb, 'all waiting': await settled(system) });
    return report(total, parkedS, phases);
  } finally {
    await producer.close();
    await system.stop();
  }
}

/** @returns seconds from the first event until all are parked */
async function park(system: BenchSystem, producer: RecordProducer, total: number) {
  const type = 'bench.parked';
  const { id } = await system.post<{ id: string }>('control', '/v1/endpoints', {
    url: 'http://127.0.0.1:9/parked',
    event_types: [type],
    max_parked: total * 2,
  });
  await system.call('control', 'POST', `/v1/endpoints/${id}/pause`);
  const startedAt = Date.now();
  const event = { prefix: type, types: [type], tenant: 'default', bytes: EVENT_BYTES, resources: RESOURCES };
  await new Flood(producer, event).burst(total);
  let [known, changedAt] = [0, Date.now()];
  const areParked = async () => {
    const parked = (await readMetrics(system.port('control')))('posthorn_parked_deliveries');
    if (parked > known) [known, changedAt] = [parked, Date.now()];
    if (Date.now() - changedAt > STALLED_MS) throw new Error(`only ${parked} of ${total} are parked`);
    return parked >= total;
  };
  await until('all are parked', areParked, { timeoutMs: 3_600_000, everyMs: SAMPLE_MS });
  return (Date.now() - startedAt) / 1_000;
}

async function fillTiers(producer: RecordProducer, total: number) {
  for (let from = 0; from < total; from += BATCH) {
    const records = Array.from({ length: Math.min(BATCH, total - from) }, (_, index) =>
      retryRecord(`dlv_${from + index}`, WAITS_MS[(from + index) % WAITS_MS.length] ?? 0),
    );
    await producer.write(records);
  }
}

async function settled(system: BenchSystem) {
  await delay(SETTLE_MS);
  return residentMb(system);
}

async function residentMb(system: BenchSystem): Promise<Record<string, number>> {
  return (await sampleOf(system)).rssMb;
}

function report(total: number, parkedS: number, phases: Record<string, Record<string, number>>) {
  const most = Math.max(...Object.values(phases).flatMap((byApp) => Object.values(byApp)));
  const isKept = most <= MOST_MB;
  console.log(`${total} deliveries parked in ${parkedS.toFixed(0)} s, then ${total} more in the tiers; memory in MiB:`);
  console.table(phases);
  console.log(`no app above ${MOST_MB} MiB: ${isKept ? 'yes' : 'NO'}`);
  console.log(
    JSON.stringify({ benchmark: 'waiting', deliveries: total, parked_s: parkedS, rss_mb: phases, is_kept: isKept }),
  );
  return isKept;
}
