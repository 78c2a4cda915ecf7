import { readMetrics } from './app-metrics.ts';
import type { BenchSystem } from './system.ts';

const APPS = ['control', 'ingest', 'dispatcher', 'retry-scheduler'] as const;
const MIB = 1_048_576;

/** What the apps' metrics say at one time. Memory is in MiB. */
export interface Sample {
  readonly rssMb: Record<string, number>;
  /** Records of `ingest` that the router has not finished. */
  readonly ingestLag: number;
  /** Records of `deliveries` that the dispatcher has not finished. */
  readonly deliveriesLag: number;
  /** Deliveries in the dispatcher's memory. */
  readonly queued: number;
  readonly queuedMb: number;
  readonly inFlight: number;
  readonly connections: number;
  /** Requests that wait for a connection. */
  readonly connectionsWaitedFor: number;
  /** Rows of parked deliveries, which control counts at intervals. */
  readonly parked: number;
}

export async function sampleOf(system: BenchSystem): Promise<Sample> {
  const read = await Promise.all(APPS.map((app) => readMetrics(system.port(app))));
  const [control, ingest, dispatcher] = read;
  const rssMb = read.map((sum, index) => [APPS[index], Math.round(sum('process_resident_memory_bytes') / MIB)]);
  return {
    rssMb: Object.fromEntries(rssMb),
    ingestLag: ingest?.('posthorn_consumer_lag_records', 'topic="ingest"') ?? 0,
    deliveriesLag: dispatcher?.('posthorn_consumer_lag_records', 'topic="deliveries"') ?? 0,
    queued: dispatcher?.('posthorn_deliveries_queued') ?? 0,
    queuedMb: Math.round((dispatcher?.('posthorn_deliveries_queued_bytes') ?? 0) / MIB),
    inFlight: dispatcher?.('posthorn_attempts_in_flight') ?? 0,
    connections: dispatcher?.('posthorn_connections_out') ?? 0,
    connectionsWaitedFor: dispatcher?.('posthorn_connection_waiting_requests') ?? 0,
    parked: control?.('posthorn_parked_deliveries') ?? 0,
  };
}

/** Samples the system until `stop`, and keeps the maximum of each figure. */
export class Watch {
  private readonly timer: NodeJS.Timeout;
  private readonly system: BenchSystem;
  private sampling: Promise<void> | undefined;
  peak: Sample | undefined;
  latest: Sample | undefined;

  /** @param everyMs a sample that takes longer delays the next one */
  constructor(system: BenchSystem, everyMs = 500) {
    this.system = system;
    this.timer = setInterval(() => void this.sample(), everyMs);
  }

  /** @returns the maxima, with a last sample. @throws Error when no sample succeeded */
  async stop(): Promise<Sample> {
    clearInterval(this.timer);
    await this.sampling;
    await this.sample();
    if (this.peak === undefined) throw new Error('the apps answered no request for their metrics');
    return this.peak;
  }

  private sample(): Promise<void> {
    // A busy app may not answer in time. The other samples count.
    this.sampling ??= sampleOf(this.system)
      .then((sample) => this.add(sample))
      .catch((error: Error) => console.error(`no sample: ${error.message}`))
      .finally(() => {
        this.sampling = undefined;
      });
    return this.sampling;
  }

  private add(latest: Sample) {
    const { rssMb, ...sample } = latest;
    this.latest = latest;
    const before = this.peak;
    const peakOf = <Figures extends Record<string, number>>(now: Figures, known: Record<string, number> = {}) =>
      Object.fromEntries(
        Object.entries(now).map(([name, value]) => [name, Math.max(known[name] ?? 0, value)]),
      ) as Figures;
    this.peak = { ...peakOf(sample, before && numbersOf(before)), rssMb: peakOf(rssMb, before?.rssMb) };
  }
}

function numbersOf({ rssMb: _, ...numbers }: Sample): Record<string, number> {
  return numbers;
}
