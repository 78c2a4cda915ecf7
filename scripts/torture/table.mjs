import { CATALOGUE, MIXED } from './catalogue.mjs';

/**
 * What test/torture writes of one run, as a line of JSON.
 *
 * @typedef {object} TortureRow
 * @property {string} fault
 * @property {number} seed
 * @property {number} brokers
 * @property {string} date ISO
 * @property {'kept' | 'broken' | 'void'} outcome
 * @property {number} fired
 * @property {number} inFlight
 * @property {Figures} [figures] missing where a run came to no verdict
 * @property {string[]} reasons why it is not kept
 * @property {string} [bug] that was planted
 * @property {string[]} [found] the kinds of what was found, of a planted bug
 *
 * @typedef {object} Figures
 * @property {number} acknowledged
 * @property {number} lost
 * @property {number} reportedLost
 * @property {number} outOfOrder
 * @property {number} duplicates
 * @property {number} duplicateBudget
 * @property {number} staleRepeats
 * @property {number} longestStallMs
 * @property {number} [healMs]
 */

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

/**
 * @param {readonly TortureRow[]} rows
 * @returns {string} a table in Markdown
 */
export function markdownTable(rows) {
  const lines = [HEAD, HEAD.map(() => '---'), ...rows.map(cells)];
  return lines.map((cellsOfLine) => `| ${cellsOfLine.join(' | ')} |`).join('\n');
}

/** @param {TortureRow} row */
function cells({ fault, brokers, outcome, fired, inFlight, figures, bug, found = [] }) {
  const { title } = fault === MIXED.name ? MIXED : CATALOGUE[/** @type {keyof typeof CATALOGUE} */ (fault)];
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

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1_000).toFixed(1)} s`;
}
