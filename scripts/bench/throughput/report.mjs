/**
 * Prints tables for people, and one line of JSON.
 *
 * @param {object} measured
 * @param {import('../throughput.mjs').Raw} measured.raw
 * @param {(Awaited<ReturnType<import('./load.mjs').Load['measure']>> & { ratio: number, ratio_fastest: number })[]} measured.runs
 * @param {{ rate: number, p50_ms: number, p95_ms: number, p99_ms: number }} measured.light
 * @param {Record<string, number>} measured.idle percent of one core
 * @param {{ one: number, two: number } | undefined} measured.scaling
 * @param {Record<string, number>} measured.rss
 * @param {number} measured.loadAverage
 * @returns {boolean} whether every delivery arrived
 */
export function printReport({ raw, runs, light, idle, scaling, rss, loadAverage }) {
  console.log(`raw loop (sign and POST, nothing else): ${Math.round(raw.plain)} requests/s`);
  console.log(`the fastest we can write, with a key that is made once: ${Math.round(raw.fastest)} requests/s`);
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
