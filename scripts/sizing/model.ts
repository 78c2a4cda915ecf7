/**
 * What was measured by `npm run bench` with events of 500 bytes: see docs/performance.md for machine and date. CPU is in
 * microseconds: what an event costs once, and what each of its deliveries costs.
 */
export const MEASURED = {
  eventBytes: 500,
  cpuUs: {
    ingest: { event: 28, delivery: 14 },
    dispatcher: { event: 0, delivery: 117 },
    control: { event: 5, delivery: 15 },
    kafka: { event: 15, delivery: 24 },
    postgres: { event: 25, delivery: 31 },
  },
  diskBytes: {
    kafka: { event: 517, delivery: 920 },
    postgres: { event: 957, delivery: 474 },
  },
};

/** Room for peaks within the second, garbage collection, and a process that is away. */
const USABLE_SHARE = 0.6;
const DAY_S = 86_400;
/** A partition is one owner's; two for each process let it share its work when another one comes. */
const PARTITIONS_PER_PROCESS = 2;
const LEAST_PARTITIONS = 8;

export interface Traffic {
  /** Per second, at the busiest time. */
  readonly events: number;
  /** Endpoints of one event. */
  readonly endpoints: number;
  /** Size of an event. */
  readonly bytes: number;
  /** Share of the attempts. */
  readonly failing: number;
  /** Mean rate, as a share of the busiest one. */
  readonly mean: number;
  /** Days that PostgreSQL keeps. */
  readonly days: number;
  /** Days that the topics keep. */
  readonly topicDays: number;
}

export function sizeOf({ events, endpoints, bytes, failing, mean, days, topicDays }: Traffic) {
  // A failed attempt is another delivery, by way of a tier: it is read and written twice more.
  const attempts = endpoints * (1 + failing);
  const cores = Object.entries(MEASURED.cpuUs).map(([name, { event, delivery }]) => {
    const busy = (events * (event + delivery * attempts)) / 1_000_000;
    return { name, cores: busy / USABLE_SHARE, processes: Math.max(1, Math.ceil(busy / USABLE_SHARE)) };
  });
  const meanEvents = events * mean * DAY_S;
  const disk = Object.entries(MEASURED.diskBytes).map(([name, { event, delivery }]) => {
    const more = bytes - MEASURED.eventBytes;
    // Kafka holds the body once for the event and once for each delivery; PostgreSQL holds the event's alone.
    const bodies = name === 'kafka' ? 1 + attempts : 1;
    const perEvent = event + delivery * attempts + more * bodies;
    const kept = name === 'kafka' ? topicDays : days;
    return { name, gbPerMillion: perEvent / 1_000, gb: (perEvent * meanEvents * kept) / 1e9 };
  });
  const dispatchers = cores.find(({ name }) => name === 'dispatcher')?.processes ?? 1;
  return { cores, disk, partitions: Math.max(LEAST_PARTITIONS, dispatchers * PARTITIONS_PER_PROCESS) };
}
