import { setTimeout as delay } from 'node:timers/promises';
import type { Arrivals } from '../messages.ts';
import { percentiles } from '../percentiles.ts';
import type { BenchSystem } from '../system.ts';
import { eventOf, type Load, mapValues } from './load.ts';

const LIGHT_PER_S = 250;
const TICK_MS = 4;
/** Time until commits, checkpoints and garbage collection of the load are over. */
const QUIET_MS = 5_000;

/** Measures latency from the API call to the arrival at the endpoint, at a low rate. */
export async function measureLight(load: Load, seconds: number) {
  const { type, remove } = await load.register({ endpoints: 1, ordering: 'resource' });
  await load.receiver.ask({ start: { failRate: 0 } });
  const startedAt = Date.now();
  const publications: Promise<void>[] = [];
  while (publications.length < LIGHT_PER_S * seconds) {
    const due = Math.min(LIGHT_PER_S * seconds, ((Date.now() - startedAt) * LIGHT_PER_S) / 1_000);
    while (publications.length < due) publications.push(load.http.publish(eventOf(type, publications.length).value));
    await delay(TICK_MS);
  }
  await Promise.all(publications);
  await delay(1_000);
  const { latencies } = await load.receiver.ask<Arrivals>('report');
  await remove();
  if (latencies.length < publications.length) throw new Error(`${publications.length - latencies.length} are missing`);
  const { p50, p95, p99 } = percentiles(latencies);
  return { rate: LIGHT_PER_S, p50_ms: p50, p95_ms: p95, p99_ms: p99 };
}

/** @returns percent of one core, by process */
export async function measureIdle(system: BenchSystem, seconds: number): Promise<Record<string, number>> {
  await delay(QUIET_MS);
  const before = system.usage();
  await delay(seconds * 1_000);
  return mapValues(system.cpuSince(before), (used) => Number(((used / seconds) * 100).toFixed(2)));
}
