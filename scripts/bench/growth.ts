import { rm } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { kafkaClient } from '#common/kafka/connect.js';
import { optionsOrExit } from '../lib/options.mjs';
import { type CertificateFiles, makeCertificate } from './growth/certificate.ts';
import { Registrations } from './growth/registrations.ts';
import { printGrowth, type Size } from './growth/report.ts';
import { measureStarts } from './growth/starts.ts';
import { type Limits, UsageLoad, type Use } from './growth/usage.ts';
import { Ipc } from './ipc.ts';
import { benchKafkaSettings } from './kafka-settings.ts';
import type { Listening } from './messages.ts';
import { BenchSystem } from './system.ts';

const ALL_SIZES = [100, 1_000, 10_000, 30_000, 100_000];
const QUICK_SIZES = [100, 1_000];
/** Endpoints in use where only few are. */
const FEW = 100;
const WARM_UP_EVENTS = 20_000;
const LIMITS: Limits = { leastEvents: 30_000, mostEvents: 100_000, steadyS: 10 };
const QUICK_LIMITS: Limits = { leastEvents: 10_000, mostEvents: 10_000, steadyS: 5 };

/**
 * Measures the cost of registered endpoints: for each number of them the starts of all apps, then throughput, latency, CPU
 * and memory with a hundred in use, and with all in use. Each endpoint has an origin of its own.
 *
 * @param args `--sizes` comma-separated, `--https`, `--quick` two small sizes
 * @returns whether every app started, none crashed, and every delivery arrived
 */
export async function run(args: string[]): Promise<boolean> {
  const options = {
    sizes: { type: 'string' },
    https: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  } as const;
  const values = optionsOrExit(options, { args });
  const sizes = values.sizes?.split(',').map(Number) ?? (values.quick ? QUICK_SIZES : ALL_SIZES);
  const files = values.https ? makeCertificate() : undefined;
  const receiver = new Ipc(
    new URL('./throughput/receiver.ts', import.meta.url),
    files ? [files.key, files.certificate] : [],
  );
  const { listening } = await receiver.next<Listening>();
  const system = await BenchSystem.start(files ? { NODE_EXTRA_CA_CERTS: files.certificate } : {});
  try {
    const registrations = new Registrations(system, { scheme: files ? 'https' : 'http', port: listening });
    await registrations.createTemplate();
    const results = await measureSizes(system, receiver, registrations, {
      sizes,
      limits: values.quick ? QUICK_LIMITS : LIMITS,
    });
    return printGrowth({ scheme: files ? 'https' : 'http', sizes: results, loadAverage: loadavg()[0] ?? 0 });
  } finally {
    receiver.close();
    await system.stop();
    await removeFiles(files);
  }
}

/** Ascending: each size keeps the endpoints of the one before. */
async function measureSizes(
  system: BenchSystem,
  receiver: Ipc,
  registrations: Registrations,
  { sizes, limits }: { sizes: readonly number[]; limits: Limits },
): Promise<Size[]> {
  const producer = kafkaClient(benchKafkaSettings(system.kafka.brokers)).producer();
  await producer.connect();
  const load = new UsageLoad(system, receiver, producer);
  const results: Size[] = [];
  try {
    for (const registered of [...sizes].sort((a, b) => a - b)) {
      console.log(`registering ${registered} endpoints`);
      await system.stopApps();
      await registrations.insertUpTo(registered);
      const starts = await measureStarts(system);
      if (starts.problem !== undefined) console.log(`${registered} endpoints: ${starts.problem}`);
      const uses = starts.problem === undefined ? await measureUses(load, registered, limits) : [];
      results.push({ registered, starts, uses });
    }
    return results;
  } finally {
    await producer.close();
  }
}

async function measureUses(load: UsageLoad, registered: number, limits: Limits): Promise<Use[]> {
  await load.warmUp(Math.min(FEW, registered), Math.min(WARM_UP_EVENTS, limits.leastEvents));
  const uses: Use[] = [];
  for (const inUse of new Set([Math.min(FEW, registered), registered])) {
    const use = await load.measure(registered, inUse, limits);
    const { deliveries_per_s, p99_ms, dispatcher_mb } = use;
    console.log(
      `${inUse} of ${registered} in use: ${deliveries_per_s}/s, p99 ${p99_ms} ms, dispatcher ${dispatcher_mb} MiB`,
    );
    uses.push(use);
  }
  return uses;
}

async function removeFiles(files: CertificateFiles | undefined) {
  if (files !== undefined) await rm(files.dir, { recursive: true, force: true });
}
