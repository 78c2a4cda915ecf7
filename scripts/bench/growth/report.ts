import type { Starts } from './starts.ts';
import { APPS } from './starts.ts';
import type { Use } from './usage.ts';

/** What was measured with a number of registered endpoints. */
export interface Size {
  readonly registered: number;
  readonly starts: Starts;
  readonly uses: readonly Use[];
}

/**
 * Prints tables, and one line of JSON.
 *
 * @returns whether every app started, none crashed, and every delivery arrived
 */
export function printGrowth({
  scheme,
  sizes,
  loadAverage,
}: {
  scheme: 'http' | 'https';
  sizes: readonly Size[];
  loadAverage: number;
}): boolean {
  console.log(
    'seconds until an app is ready, and its memory in MiB at rest (resident; heap with external memory; peak):',
  );
  console.table(Object.fromEntries(sizes.map(({ registered, starts }) => [registered, startRow(starts)])));
  console.log(`deliveries over ${scheme}, each event to one endpoint:`);
  console.table(sizes.flatMap(({ uses }) => uses));
  const isKept = sizes.every(
    ({ starts, uses }) =>
      starts.problem === undefined && uses.every(({ restarts, missing }) => restarts === 0 && missing === 0),
  );
  console.log(`every app started, none crashed, every delivery arrived: ${isKept ? 'yes' : 'NO'}`);
  console.log(
    JSON.stringify({
      benchmark: 'growth',
      scheme,
      sizes,
      load_average: Number(loadAverage.toFixed(2)),
      is_kept: isKept,
    }),
  );
  return isKept;
}

function startRow({ apps, published, published_s, published_again, problem }: Starts) {
  const cells = APPS.map((app) => {
    const start = apps[app];
    const text = start && `${start.start_s} s, ${start.rss_mb}; ${start.heap_mb}; ${start.peak_rss_mb}`;
    return [app, text ?? '–'] as const;
  });
  const takeover = `${published} in ${published_s} s, then ${published_again}`;
  return { ...Object.fromEntries(cells), 'records published': takeover, ...(problem ? { problem } : {}) };
}
