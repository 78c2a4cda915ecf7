/** `npm run bench -- <name> [options]`: each benchmark starts what it needs, prints a report, and one line of JSON last. */
const BENCHMARKS = {
  isolation: () => import('./bench/isolation.mjs'),
  scheduler: () => import('./bench/scheduler.mjs'),
};

const [name = '', ...args] = process.argv.slice(2);
const load = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[/** @type {keyof typeof BENCHMARKS} */ (name)] : undefined;
if (load === undefined) {
  console.error(`usage: npm run bench -- <${Object.keys(BENCHMARKS).join('|')}> [options]`);
  process.exit(2);
}
const { run } = await load();
process.exitCode = (await run(args)) ? 0 : 1;
