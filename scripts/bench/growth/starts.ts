import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../lib/until.mjs';
import { readMetrics } from '../app-metrics.ts';
import type { BenchSystem } from '../system.ts';

export const APPS = ['control', 'ingest', 'dispatcher', 'retry-scheduler'] as const;
export type AppName = (typeof APPS)[number];

/** An app that was started while all endpoints were registered. */
export interface Start {
  /** Until it is ready. */
  readonly start_s: number;
  /** MiB when it has come to rest, and at most before. */
  readonly rss_mb: number;
  readonly peak_rss_mb: number;
  /** MiB of V8's heap and of its external memory, garbage included. */
  readonly heap_mb: number;
}

/** What the apps did when they were started, twice: the second time the topic has all endpoints. */
export interface Starts {
  /** Records that the first relay wrote, and the seconds from its start. */
  readonly published: number;
  readonly published_s: number;
  /** Records that the second relay wrote. */
  readonly published_again: number;
  readonly apps: Partial<Record<AppName, Start>>;
  /** Why an app did not start. */
  readonly problem?: string;
}

const PUBLISHING_LIMIT_MS = 120_000;
/** Until the garbage of a start is collected. */
const SETTLE_MS = 5_000;

/** Starts control alone, which publishes what the topic lacks, stops it, and starts all apps one after the other. */
export async function measureStarts(system: BenchSystem): Promise<Starts> {
  const starts = { published: 0, published_s: 0, published_again: 0, apps: {} as Starts['apps'] };
  try {
    const startedAt = performance.now();
    const before = publications(system).length;
    await system.startAgain('control');
    starts.published = await nextPublication(system, before);
    starts.published_s = seconds(performance.now() - startedAt);
    await system.stopApps();
    const times: Partial<Record<AppName, number>> = {};
    for (const app of APPS) times[app] = await system.startAgain(app);
    starts.published_again = await nextPublication(system, before + 1);
    await delay(SETTLE_MS);
    const peaks = system.peakRssMb();
    for (const app of APPS) starts.apps[app] = await startOf(system, app, times[app] ?? 0, peaks[app] ?? 0);
    return starts;
  } catch (error) {
    const problem = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    return { ...starts, problem };
  }
}

async function startOf(system: BenchSystem, app: AppName, startS: number, peakMb: number): Promise<Start> {
  const metric = await readMetrics(system.port(app));
  const heap = metric('nodejs_heap_size_used_bytes') + metric('nodejs_external_memory_bytes');
  return {
    start_s: Number(startS.toFixed(1)),
    rss_mb: mebibytes(metric('process_resident_memory_bytes')),
    peak_rss_mb: peakMb,
    heap_mb: mebibytes(heap),
  };
}

/** @param before publications of the log that count as old @returns records of the next one */
async function nextPublication(system: BenchSystem, before: number): Promise<number> {
  const isThere = async () => publications(system).length > before;
  await until('the relay has published', isThere, { timeoutMs: PUBLISHING_LIMIT_MS, everyMs: 200 });
  return publications(system)[before] ?? 0;
}

/** @returns records that each relay has written at its takeover, by control's log */
function publications(system: BenchSystem): number[] {
  const lines = readFileSync(join(system.dir, 'control.log'), 'utf8').split('\n');
  return lines.filter((line) => line.includes('"configuration.published"')).map((line) => JSON.parse(line).records);
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}

function seconds(ms: number): number {
  return Number((ms / 1_000).toFixed(1));
}
