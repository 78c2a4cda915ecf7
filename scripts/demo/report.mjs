import { percentile } from './tally.mjs';

/** @typedef {import('./tally.mjs').Score} Score */
/** @typedef {Score & { name: string, behaviour: string, expected: number, dead: number, mustGetAll: boolean }} Row */

/** Column title, and what stands in it. */
const COLUMNS = /** @type {const} @satisfies {readonly [string, (row: Row) => string | number][]} */ ([
  ['endpoint', (row) => `${row.name} (${row.behaviour})`],
  ['expected', (row) => row.expected],
  ['delivered', (row) => row.delivered],
  ['duplicates', (row) => row.duplicates],
  ['retried', (row) => row.retried],
  ['dead', (row) => row.dead],
  ['out of order', (row) => row.disorder],
  ['p50', (row) => duration(percentile(row.latenciesMs, 0.5))],
  ['p99', (row) => duration(percentile(row.latenciesMs, 0.99))],
]);

/**
 * @param {readonly Row[]} rows
 * @returns {string} one line per endpoint, below a line of titles
 */
export function table(rows) {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => String(cell(row))))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  lines.splice(1, 0, widths.map((width) => '─'.repeat(width)).join('  '));
  return lines.join('\n');
}

/**
 * @param {readonly Row[]} rows
 * @param {readonly string[]} forged
 * @returns {string[]} what the system promised and did not keep
 */
export function failures(rows, forged) {
  const missed = rows.flatMap(({ name, mustGetAll, expected, delivered }) =>
    mustGetAll && delivered < expected ? [`${name} missed ${expected - delivered} of ${expected} events`] : [],
  );
  const unsettled = rows.flatMap(({ name, mustGetAll, expected, dead }) =>
    !mustGetAll && dead < expected ? [`${name} has ${dead} dead letters, ${expected} were expected`] : [],
  );
  return [...missed, ...unsettled, ...forged.map((what) => `signature: ${what}`)];
}

/** @param {number | undefined} ms */
function duration(ms) {
  if (ms === undefined) return '–';
  return ms < 1_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
