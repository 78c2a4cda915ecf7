import { runAgainOnAppNode, runsTypeScript } from './lib/node-binary.mjs';
import { prepare } from './lib/prepare.mjs';
import { Progress } from './lib/progress.mjs';
import { checkKafkaTools } from './lib/toolchain.mjs';

/**
 * `npm run bench [-- <name>] [options]`: each benchmark starts its servers, prints a report, and
 * one line of JSON last. The default is the throughput of the whole system.
 */
const BENCHMARKS = {
  throughput: () => import('./bench/throughput.ts'),
  neighbours: () => import('./bench/neighbours.ts'),
  backlogs: () => import('./bench/backlogs.ts'),
  scheduler: () => import('./bench/scheduler.ts'),
  waiting: () => import('./bench/waiting.ts'),
  growth: () => import('./bench/growth.ts'),
  collections: () => import('./bench/collections.ts'),
  subscriptions: () => import('./bench/subscriptions.ts'),
};

const [first = '', ...rest] = process.argv.slice(2);
const isNamed = first !== '' && !first.startsWith('-');
const name = isNamed ? first : 'throughput';
const load = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[/** @type {keyof typeof BENCHMARKS} */ (name)] : undefined;
if (load === undefined) {
  console.error(`usage: npm run bench -- [${Object.keys(BENCHMARKS).join('|')}] [options]`);
  process.exit(2);
}
checkKafkaTools(process.env);
await prepare(new Progress(process.stdout), { needsKafka: true });
if (runsTypeScript()) {
  // Imported here: `prepare` may have installed its packages just before.
  const { run } = await load();
  process.exitCode = (await run(isNamed ? rest : process.argv.slice(2))) ? 0 : 1;
} else process.exitCode = await runAgainOnAppNode();
