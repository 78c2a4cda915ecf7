import { loadavg } from 'node:os';
import { optionsOrExit } from '../lib/options.mjs';
import { Ground } from './backlogs/ground.ts';
import { type Drained, inIngest, inTiers, parked, type Scene } from './backlogs/scenes.ts';

const SCENES: Readonly<Record<string, Scene>> = { ingest: inIngest, parked, tiers: inTiers };

const MOST_MB = 250;
/** Of the live rate, for events that waited in `ingest`. */
const LEAST_OF_LIVE = 0.8;
/** Parked deliveries per second. */
const LEAST_DRAINED = 3_000;
/** The last delivery of any endpoint, relative to that of the median endpoint. */
const MOST_LATE_RATIO = 2;

/**
 * Measures how backlogs end: events in `ingest`, parked deliveries of endpoints that come back at once, and retries that are
 * due in the same second.
 *
 * @param args `--scale` of the numbers of deliveries, `--only` one scene
 * @returns whether every promise was kept
 */
export async function run(args: string[]): Promise<boolean> {
  const options = { scale: { type: 'string', default: '1' }, only: { type: 'string', default: '' } } as const;
  const values = optionsOrExit(options, { args });
  const scale = Number(values.scale);
  const names = Object.keys(SCENES).filter((name) => name.includes(values.only));
  const results: Judged[] = [];
  for (const name of names) {
    // Each scene has a system of its own: another one's backlog would be in its memory.
    const ground = await Ground.start();
    try {
      const drained = await SCENES[name]?.(ground, scale);
      if (drained) results.push(judge(name, drained));
    } finally {
      await ground.stop();
    }
    console.log(`${name}: ${JSON.stringify(results.at(-1))}`);
  }
  return report(results, scale);
}

type Judged = ReturnType<typeof judge>;

function judge(name: string, drained: Drained) {
  const { arrivals, expected, rssMb, figures } = drained;
  const { p50, max } = arrivals.lastOfEndpointMs;
  const lateRatio = Number((max / Math.max(1, p50)).toFixed(2));
  const broken = [
    Math.max(...Object.values(rssMb)) <= MOST_MB ? '' : 'memory',
    lateRatio <= MOST_LATE_RATIO ? '' : 'an endpoint is late',
    arrivals.repeats === 0 ? '' : 'repeats',
    arrivals.accepted >= expected ? '' : 'missing',
    (figures.of_live ?? 1) >= LEAST_OF_LIVE ? '' : 'rate',
    name !== 'parked' || arrivals.perSecond >= LEAST_DRAINED ? '' : 'rate',
  ];
  return { name, ...drained, lateRatio, broken: broken.filter((reason) => reason !== '') };
}

function report(results: readonly Judged[], scale: number): boolean {
  const isKept = results.every(({ broken }) => broken.length === 0);
  console.log('backlogs: deliveries per second; seconds from the end of the wait to the arrival; peak memory in MiB');
  console.table(Object.fromEntries(results.map((result) => [result.name, row(result)])));
  console.log(`all kept: ${isKept ? 'yes' : 'NO'}`);
  console.log(
    JSON.stringify({
      benchmark: 'backlogs',
      scale,
      scenes: results,
      load_average: Number(loadavg()[0]?.toFixed(2)),
      is_kept: isKept,
    }),
  );
  return isKept;
}

function row({ expected, arrivals, filledS, figures, rssMb, lateRatio, broken }: Judged) {
  const { arrivedMs, perSecond, repeats, accepted, lag } = arrivals;
  const seconds = (ms: number) => Number((ms / 1_000).toFixed(1));
  return {
    deliveries: expected,
    'filled in s': filledS,
    'per s': perSecond,
    'of live': figures.of_live,
    p50: seconds(arrivedMs.p50),
    p99: seconds(arrivedMs.p99),
    last: seconds(arrivedMs.max),
    'latest endpoint / median': lateRatio,
    missing: expected - accepted,
    repeats,
    ...rssMb,
    'receiver lag ms': lag.p99,
    kept: broken.length === 0 ? 'yes' : `NO: ${broken.join(', ')}`,
  };
}
