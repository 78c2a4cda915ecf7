/**
 * `npm run bench [-- <name>] [options]`: each benchmark starts what it needs, prints a report, and one line of JSON last.
 * Without a name it is the whole system's throughput.
 */
const BENCHMARKS = {
  throughput: () => import('./bench/throughput.mjs'),
  isolation: () => import('./bench/isolation.mjs'),
  scheduler: () => import('./bench/scheduler.mjs'),
};

const [first = '', ...rest] = process.argv.slice(2);
const isNamed = first !== '' && !first.startsWith('-');
const name = isNamed ? first : 'throughput';
const load = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[/** @type {keyof typeof BENCHMARKS} */ (name)] : undefined;
if (load === undefined) {
  console.error(`usage: npm run bench -- [${Object.keys(BENCHMARKS).join('|')}] [options]`);
  process.exit(2);
}
const { run } = await load();
process.exitCode = (await run(isNamed ? rest : process.argv.slice(2))) ? 0 : 1;
