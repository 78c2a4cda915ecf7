import { optionsOrExit } from './lib/options.mjs';
import { printSizing } from './sizing/report.ts';

/*
 * `npm run sizing -- --events 1000 --endpoints 3`: estimates CPU, memory and disk for a traffic, from figures of
 * `npm run bench` (docs/performance.md).
 */
const options = {
  /** Events per second at the peak. */
  events: { type: 'string', default: '1000' },
  /** Mean number of endpoints per event. */
  endpoints: { type: 'string', default: '1' },
  /** Size of `data`, in bytes. */
  bytes: { type: 'string', default: '500' },
  /** Share of failed attempts. */
  failing: { type: 'string', default: '0.05' },
  /** Mean rate, as a share of the peak: disks fill by the mean. */
  mean: { type: 'string', default: '0.3' },
  /** Retention of PostgreSQL (RETENTION_DAYS) and of the topics, in days. */
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
