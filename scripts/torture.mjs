import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runJest } from './lib/jest-run.mjs';
import { appNode, runAgainOnAppNode, runsTypeScript } from './lib/node-binary.mjs';
import { optionsOrExit } from './lib/options.mjs';
import { prepare } from './lib/prepare.mjs';
import { Progress } from './lib/progress.mjs';
import { stopSignal } from './lib/stop-signal.mjs';
import { checkKafkaTools } from './lib/toolchain.mjs';
import { CATALOGUE, MIXED, ON_THREE_BROKERS } from './torture/catalogue.mjs';

/*
 * `npm run torture`: breaks a running system in every way of the catalogue, and judges what it promised. Ends with a table
 * in Markdown and `N passed, N failed`.
 */

const USAGE = `usage: npm run torture -- [what] [options]

what
  --fixed            those that .ci/run runs; the default
  --faults a,b       these
  --all              every fault, several at a time, and some of them with three brokers
  --mixed            several at a time, chosen by the seed
  --planted          those that expose the planted bugs, without the bugs and with them: is the judge awake?
  --list             say which there are

options
  --seed N           of all choices; default 1
  --brokers 3        a cluster of three
  --bugs a,b         with --planted: these only`;

/** @typedef {{ suite?: 'torture' | 'planted', faults: readonly string[], brokers: number }} Piece */

const progress = new Progress(process.stdout);
const stop = stopSignal();
stop.signal.addEventListener('abort', () => setTimeout(() => process.exit(130), 1_000).unref());

const values = optionsOrExit(
  {
    faults: { type: 'string' },
    fixed: { type: 'boolean' },
    all: { type: 'boolean' },
    mixed: { type: 'boolean' },
    planted: { type: 'boolean' },
    bugs: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
    seed: { type: 'string', default: '1' },
    brokers: { type: 'string', default: '1' },
  },
  { usage: USAGE },
);

/** @returns {Piece[]} systems to start, one after the other, and what each is to suffer */
function pieces() {
  const names = Object.keys(CATALOGUE);
  const brokers = Number(values.brokers);
  if (values.planted) return [{ suite: 'planted', faults: [], brokers }];
  if (values.mixed) return [{ faults: [MIXED.name], brokers }];
  if (values.faults) return [{ faults: values.faults.split(','), brokers }];
  if (values.all && brokers === 1) {
    return [
      { faults: [...names, MIXED.name], brokers },
      { faults: ON_THREE_BROKERS, brokers: 3 },
    ];
  }
  return [{ faults: values.all ? names : names.filter(isFixed), brokers }];
}

/** @param {string} name */
function isFixed(name) {
  const entry = CATALOGUE[/** @type {keyof typeof CATALOGUE} */ (name)];
  return 'isFixed' in entry;
}

/**
 * @param {Piece} piece
 * @param {string} report
 */
function torture({ suite = 'torture', faults, brokers }, report) {
  process.env.TORTURE_FAULTS = faults.join(',');
  process.env.TORTURE_BROKERS = String(brokers);
  process.env.TORTURE_SEED = values.seed;
  process.env.TORTURE_REPORT = report;
  if (values.bugs) process.env.TORTURE_BUGS = values.bugs;
  return runJest('torture', { node: appNode(), args: ['--runInBand', '--testPathPatterns', `torture/${suite}.spec`] });
}

async function main() {
  const unknown = (values.faults?.split(',') ?? []).filter((name) => name !== MIXED.name && !(name in CATALOGUE));
  if (unknown.length > 0) throw new Error(`There is no fault ${unknown.join(', ')}; --list says which there are`);
  checkKafkaTools(process.env);
  await prepare(progress, { signal: stop.signal, needsKafka: true });
  if (!runsTypeScript()) process.exit(await runAgainOnAppNode());
  const { markdownTable } = await import('./torture/table.ts');
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-torture-report-'));
  const report = join(folder, 'rows.jsonl');
  const total = { passed: 0, failed: 0 };
  try {
    for (const piece of pieces()) {
      const { passed, failed } = await torture(piece, report);
      total.passed += passed;
      total.failed += failed;
      stop.signal.throwIfAborted();
    }
    const lines = existsSync(report) ? readFileSync(report, 'utf8').split('\n').filter(Boolean) : [];
    progress.say(`\nSeed ${values.seed}\n\n${markdownTable(lines.map((line) => JSON.parse(line)))}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return total;
}

if (values.help) progress.say(USAGE);
else if (values.list)
  for (const [name, { title }] of Object.entries(CATALOGUE)) progress.say(`${name.padEnd(20)} ${title}`);
else {
  const { passed, failed } = await main().catch((error) => {
    progress.say(`\n${error instanceof Error ? error.message : error}`);
    return { passed: 0, failed: 1 };
  });
  progress.say(`\n${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
