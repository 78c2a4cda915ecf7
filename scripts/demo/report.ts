import type { DemoEndpoint } from './endpoints.ts';
import { percentile, type Score } from './tally.ts';

export type Row = Score & DemoEndpoint & { expected: number; dead: number };

/** Columns: title and content. */
const COLUMNS = [
  ['endpoint', (row) => `${row.name} (${row.behaviour})`],
  ['expected', (row) => row.expected],
  ['delivered', (row) => row.delivered],
  ['duplicates', (row) => row.duplicates],
  ['retried', (row) => row.retried],
  ['dead', (row) => row.dead],
  ['out of order', (row) => (row.isOrdered ? row.disorder : 'not asked')],
  ['p50', (row) => duration(percentile(row.latenciesMs, 0.5))],
  ['p99', (row) => duration(percentile(row.latenciesMs, 0.99))],
] as const satisfies readonly [string, (row: Row) => string | number][];

/** @returns one line per endpoint, below a line of titles */
export function table(rows: readonly Row[]): string {
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

/** @returns descriptions of missing deliveries */
export function missing(rows: readonly Row[]): string[] {
  return rows.flatMap(({ name, mustGetAll, expected, delivered, dead }) => {
    if (mustGetAll) return delivered < expected ? [`${name} missed ${expected - delivered} of ${expected} events`] : [];
    return dead < expected ? [`${name} has ${dead} dead letters, ${expected} were expected`] : [];
  });
}

/** @returns endpoints at which events of a resource arrived out of order */
export function disorder(rows: readonly Row[]): string[] {
  const unruly = rows.filter(({ isOrdered, disorder }) => isOrdered && disorder > 0);
  return unruly.map(({ name, disorder }) => `${name} got ${disorder} events after a later one of their resource`);
}

function duration(ms: number | undefined) {
  if (ms === undefined) return '–';
  return ms < 1_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
