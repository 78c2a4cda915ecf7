/**
 * @param {readonly number[]} values
 * @returns {{ p50: number, p95: number, p99: number, max: number }} 0 of nothing
 */
export function percentiles(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (/** @type {number} */ share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
