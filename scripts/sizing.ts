import { optionsOrExit } from './lib/options.mjs';
import { printSizing } from './sizing/report.ts';

/*
 * `npm run sizing -- --events 1000 --endpoints 3`: what a system for such a traffic needs, from figures measured by
 * `npm run bench` (docs/performance.md).
 */
const options = {
  /** Per second, at the busiest time. */
  events: { type: 'string', default: '1000' },
  /** That one event goes to, on average. */
  endpoints: { type: 'string', default: '1' },
  /** Of `data`, in bytes. */
  bytes: { type: 'string', default: '500' },
  /** Share of attempts. */
  failing: { type: 'string', default: '0.05' },
  /** The mean rate, as a share of the busiest one: disks fill by the mean. */
  mean: { type: 'string', default: '0.3' },
  /** Days that PostgreSQL remembers (RETENTION_DAYS), and that the topics keep. */
  days: { type: 'string', default: '30' },
  'topic-days': { type: 'string', default: '7' },
} as const;

const values = optionsOrExit(options);
const numbers = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]));
const wrong = Object.entries(numbers).find(([, number]) => !(number >= 0));
if (wrong) {
  console.error(`--${wrong[0]} must be a number, and not below 0`);
  process.exit(2);
}
printSizing({
  events: numbers.events ?? 0,
  endpoints: numbers.endpoints ?? 0,
  bytes: numbers.bytes ?? 0,
  failing: numbers.failing ?? 0,
  mean: numbers.mean ?? 0,
  days: numbers.days ?? 0,
  topicDays: numbers['topic-days'] ?? 0,
});
