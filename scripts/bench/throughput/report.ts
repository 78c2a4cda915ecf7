import type { Load } from './load.ts';
import type { Raw } from './scene.ts';

/**
 * Prints tables, and one line of JSON.
 *
 * @returns whether every delivery arrived
 */
export function printReport({
  raw,
  runs,
  light,
  idle,
  scaling,
  rss,
  loadAverage,
}: {
  raw: Raw;
  runs: (Awaited<ReturnType<Load['measure']>> & { ratio: number; ratio_fastest: number })[];
  light: { rate: number; p50_ms: number; p95_ms: number; p99_ms: number };
  /** percent of one core */
  idle: Record<string, number>;
  scaling: { one: number; two: number } | undefined;
  rss: Record<string, number>;
  loadAverage: number;
}): boolean {
  console.log(`raw loop (only sign and POST): ${Math.round(raw.plain)} requests/s`);
  console.log(`raw loop with a key object that is created once: ${Math.round(raw.fastest)} requests/s`);
  console.table(runs.map(({ cpu_us, disk_bytes, ...run }) => run));
  console.log('CPU in microseconds, and disk in bytes, per delivery:');
  console.table(
    runs.map(({ door, endpoints, ordering, fail_rate, cpu_us, disk_bytes }) => ({
      door,
      endpoints,
      ordering,
      fail_rate,
      ...cpu_us,
      kafka_bytes: disk_bytes.kafka,
      postgres_bytes: disk_bytes.postgres,
    })),
  );
  console.log(`at ${light.rate} events/s: p50 ${light.p50_ms} ms, p95 ${light.p95_ms} ms, p99 ${light.p99_ms} ms`);
  const total = Object.values(idle).reduce((sum, percent) => sum + percent, 0);
  console.log(`idle, percent of one core (${total.toFixed(1)} in all), and peak memory in MB:`);
  console.table(Object.fromEntries(Object.keys(rss).map((name) => [name, { idle: idle[name], peak_mb: rss[name] }])));
  if (scaling) console.log(`one dispatcher ${scaling.one}/s, two ${scaling.two}/s`);
  const missing = runs.reduce((sum, run) => sum + run.missing, 0);
  if (missing > 0) console.log(`${missing} deliveries did not arrive`);
  const result = {
    benchmark: 'throughput',
    raw_per_s: Math.round(raw.plain),
    raw_fastest_per_s: Math.round(raw.fastest),
    runs,
    light,
    idle_cpu: idle,
    rss_mb: rss,
    ...(scaling ? { scaling } : {}),
    load_average: Number(loadAverage.toFixed(2)),
  };
  console.log(JSON.stringify(result));
  return missing === 0;
}
