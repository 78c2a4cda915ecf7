import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { appService } from '../lib/apps.mjs';
import { startKafka } from '../lib/kafka.mjs';
import { appNode } from '../lib/node-binary.mjs';
import { optionsOrExit } from '../lib/options.mjs';
import { freePort } from '../lib/ports.mjs';
import { Server } from '../lib/server.mjs';
import { readMetrics } from './app-metrics.ts';
import { percentiles } from './percentiles.ts';
import { RetryLoad } from './retry-load.ts';

/** Promise at 1,000 returns per second (docs/adr/0003). */
const MOST_P99_MS = 250;

/**
 * Writes retries at a fixed rate, independent of the returns, and measures the lateness of each return to `deliveries`.
 *
 * @param args `--rate` retries per second, `--seconds` of load
 * @returns whether the promise was kept
 */
export async function run(args: string[]): Promise<boolean> {
  const options = {
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
  } as const;
  const values = optionsOrExit(options, { args });
  const load = { rate: Number(values.rate), seconds: Number(values.seconds) };
  const dir = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
  const kafka = await startKafka({ dir: join(dir, 'kafka'), port: await freePort() });
  const port = await freePort();
  const scheduler = schedulerServer(port, kafka.brokers, join(dir, 'retry-scheduler.log'));
  try {
    await scheduler.start();
    console.log(`${load.rate} retries/s for ${load.seconds} s; the longest waits end about a minute later`);
    return report(load, await measure(load, kafka.brokers, port));
  } finally {
    await scheduler.stop();
    await kafka.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

function schedulerServer(port: number, brokers: string[], logFile: string) {
  const app = { name: 'retry-scheduler', portName: 'RETRY_SCHEDULER_PORT' } as const;
  const env = { ...process.env, KAFKA_BROKERS: brokers.join(',') };
  return new Server(appService(app, { node: appNode(), port, env }), logFile);
}

/** @param port of the scheduler's metrics */
async function measure(load: { rate: number; seconds: number }, brokers: string[], port: number) {
  const retries = new RetryLoad(brokers);
  await retries.start();
  const before = await readMetrics(port);
  await retries.send(load);
  await retries.allReturned(90_000);
  const after = await readMetrics(port);
  await retries.stop();
  return {
    retries,
    cpuSeconds: after('process_cpu_seconds_total') - before('process_cpu_seconds_total'),
    moves: after('posthorn_scheduler_moves_total'),
    rssBytes: after('process_resident_memory_bytes'),
  };
}

function report(
  load: { rate: number; seconds: number },
  { retries, cpuSeconds, moves, rssBytes }: Awaited<ReturnType<typeof measure>>,
) {
  const { sent, returned, stored, arrived } = retries;
  const late = percentiles(stored);
  const result = {
    benchmark: 'scheduler',
    rate: load.rate,
    sent,
    missing: sent - returned.size,
    repeated: stored.length - returned.size,
    early: stored.filter((ms) => ms < 0).length,
    late_ms: late,
    arrived_late_ms: percentiles(arrived),
    moves,
    cpu_us_per_return: Math.round((cpuSeconds * 1_000_000) / Math.max(1, stored.length)),
    rss_mb: Math.round(rssBytes / 1_048_576),
    load_average: Number(loadavg()[0]?.toFixed(2)),
    is_kept: false,
  };
  result.is_kept = result.missing === 0 && result.early === 0 && late.p99 < MOST_P99_MS;
  console.table({ 'stored in deliveries': late, 'read from deliveries': result.arrived_late_ms });
  console.log(
    `${sent} retries, ${moves} moves between tiers: ${result.cpu_us_per_return} µs of the scheduler's CPU each`,
  );
  console.log(
    `${result.missing} missing, ${result.repeated} repeated, ${result.early} early; ${result.rss_mb} MB resident`,
  );
  console.log(`p99 under ${MOST_P99_MS} ms, none early, none missing: ${result.is_kept ? 'yes' : 'NO'}`);
  console.log(JSON.stringify(result));
  return result.is_kept;
}
