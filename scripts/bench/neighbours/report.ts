import { cpus, loadavg } from 'node:os';
import { CASES, type Case, referenceOf } from './cases.ts';
import type { Measured } from './measure.ts';

/** Beside a neighbour of the same tenant, the p99 is at most this many times that alone, and this many ms more. */
const ENDPOINT_P99 = { factor: 2, plusMs: 20 };
const LEAST_THROUGHPUT = 0.99;
const MOST_RSS_MB = 250;
const MOST_CONNECTIONS = 2_048;

/** Prints tables, and one line of JSON. @returns whether every promise was kept */
export function report(all: readonly Measured[], seconds: number): boolean {
  const judged = all.map((measured) => ({ ...measured, ...judge(measured, all) }));
  console.log('the watched endpoint, ms from publishing to arrival:');
  console.table(byName(judged, latencyRow));
  console.log('its neighbours, and the dispatcher (MiB):');
  console.table(byName(judged, systemRow));
  console.log('where the watched events waited, p50 / p99 in ms:');
  console.table(byName(judged, waitRow));
  console.log('cores used:');
  console.table(byName(judged, ({ cores }) => cores));
  const isKept = judged.every(({ broken }) => broken.length === 0);
  console.log(`all kept: ${isKept ? 'yes' : 'NO'}`);
  console.log(
    JSON.stringify({
      benchmark: 'neighbours',
      seconds,
      cases: judged,
      cpus: cpus().length,
      load_average: Number(loadavg()[0]?.toFixed(2)),
      is_kept: isKept,
    }),
  );
  return isKept;
}

/** @returns the limit of the p99 in ms, and the names of the broken promises */
function judge(measured: Measured, all: readonly Measured[]) {
  const { latency, throughput, peak, missing, repeats } = measured;
  const mostP99 = limitOf(measured.name, all);
  const broken = [
    latency.p99 <= mostP99 ? '' : 'p99',
    throughput >= LEAST_THROUGHPUT && missing === 0 ? '' : 'throughput',
    Math.max(...Object.values(peak.rssMb)) <= MOST_RSS_MB ? '' : 'memory',
    peak.connections <= MOST_CONNECTIONS ? '' : 'connections',
    repeats === 0 ? '' : 'repeats',
  ];
  return { mostP99, broken: broken.filter((name) => name !== '') };
}

function limitOf(name: string, all: readonly Measured[]): number {
  const each: Case | undefined = CASES.find((known) => known.name === name);
  if (each?.mostP99 !== undefined) return each.mostP99;
  const reference = each && referenceOf(each);
  const alone = all.find((other) => other.name === reference?.name)?.latency.p99 ?? 0;
  return ENDPOINT_P99.factor * alone + ENDPOINT_P99.plusMs;
}

type Judged = Measured & ReturnType<typeof judge>;

function byName(judged: readonly Judged[], row: (measured: Judged) => Record<string, unknown>) {
  return Object.fromEntries(judged.map((measured) => [measured.name, row(measured)]));
}

function latencyRow({ latency, mostP99, throughput, missing, repeats, lag, broken }: Judged) {
  const { p50, p90, p99, max } = latency;
  const kept = broken.length === 0 ? 'yes' : `NO: ${broken.join(', ')}`;
  return { p50, p90, p99, goal: mostP99, max, throughput, missing, repeats, 'probe lag': lag.probe.p99, kept };
}

function systemRow({ floodPerSecond, backlog, peak, lag }: Judged) {
  return {
    'flood/s': floodPerSecond,
    backlog,
    'ingest lag': peak.ingestLag,
    'deliveries lag': peak.deliveriesLag,
    'in memory': `${peak.queued} (${peak.queuedMb} MiB)`,
    'in flight': peak.inFlight,
    connections: peak.connections,
    'waited for': peak.connectionsWaitedFor,
    parked: peak.parked,
    'dispatcher RSS': peak.rssMb.dispatcher,
    'ingest RSS': peak.rssMb.ingest,
    'crowd lag': lag.crowd.p99,
  };
}

function waitRow({ waits: { api, router, dispatcher, of } }: Judged) {
  const text = ({ p50, p99 }: { p50: number; p99: number }) => `${p50} / ${p99}`;
  return { api: text(api), router: text(router), dispatcher: text(dispatcher), 'of events': of };
}
