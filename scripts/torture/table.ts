import { CATALOGUE, MIXED } from './catalogue.mjs';

/** One run: a line of JSON that test/torture writes. */
export interface TortureRow {
  readonly fault: string;
  readonly seed: number;
  readonly brokers: number;
  /** Time in ISO 8601. */
  readonly date: string;
  readonly outcome: 'kept' | 'broken' | 'void';
  readonly fired: number;
  readonly inFlight: number;
  /** Missing for a run without a verdict. */
  readonly figures?: Figures;
  /** Reason why the outcome is not `kept`. */
  readonly reasons: readonly string[];
  /** Name of the planted bug. */
  readonly bug?: string;
  /** Kinds of findings that the planted bug caused. */
  readonly found?: readonly string[];
}

interface Figures {
  readonly acknowledged: number;
  readonly lost: number;
  readonly reportedLost: number;
  readonly outOfOrder: number;
  readonly duplicates: number;
  readonly duplicateBudget: number;
  readonly staleRepeats: number;
  readonly longestStallMs: number;
  readonly healMs?: number;
}

const HEAD = [
  'fault',
  'events',
  'fired',
  'in flight',
  'lost',
  'out of order',
  'duplicates / budget',
  'stale repeats',
  'longest stall',
  'heal time',
  'verdict',
];

/** @returns a table in Markdown */
export function markdownTable(rows: readonly TortureRow[]): string {
  const lines = [HEAD, HEAD.map(() => '---'), ...rows.map(cells)];
  return lines.map((cellsOfLine) => `| ${cellsOfLine.join(' | ')} |`).join('\n');
}

function cells({ fault, brokers, outcome, fired, inFlight, figures, bug, found = [] }: TortureRow) {
  const { title } = fault === MIXED.name ? MIXED : CATALOGUE[fault as keyof typeof CATALOGUE];
  const where = brokers > 1 ? ` (one of ${brokers} brokers)` : '';
  const name = `\`${fault}\`: ${title}${where}${bug ? `; planted: \`${bug}\`` : ''}`;
  if (figures === undefined) return [name, ...HEAD.slice(2).map(() => '-'), `${outcome}: no verdict`];
  const { acknowledged, lost, reportedLost, outOfOrder, duplicates, duplicateBudget, staleRepeats } = figures;
  return [
    name,
    acknowledged,
    fired,
    inFlight,
    reportedLost > 0 ? `${lost} (${reportedLost} reported)` : lost,
    outOfOrder,
    `${duplicates} / ${duplicateBudget}`,
    staleRepeats,
    seconds(figures.longestStallMs),
    figures.healMs === undefined ? 'never' : seconds(figures.healMs),
    found.length > 0 ? `${outcome}: ${found.join(', ')}` : outcome,
  ];
}

function seconds(ms: number) {
  return `${(ms / 1_000).toFixed(1)} s`;
}
