/**
 * Figures of `npm run bench` with events of 500 bytes; docs/performance.md has machine and date. CPU in microseconds:
 * per event, and per delivery.
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

/** Headroom for peaks within a second, garbage collection, and the loss of a process. */
const USABLE_SHARE = 0.6;
const DAY_S = 86_400;
/** Each partition has one owner. With two per process, a further process can take over some. */
const PARTITIONS_PER_PROCESS = 2;
const LEAST_PARTITIONS = 8;

export interface Traffic {
  /** Events per second at the peak. */
  readonly events: number;
  /** Endpoints of one event. */
  readonly endpoints: number;
  /** Size of an event. */
  readonly bytes: number;
  /** Share of failed attempts. */
  readonly failing: number;
  /** Mean rate, as a share of the peak. */
  readonly mean: number;
  /** Retention of PostgreSQL, in days. */
  readonly days: number;
  /** Retention of the topics, in days. */
  readonly topicDays: number;
}

export function sizeOf({ events, endpoints, bytes, failing, mean, days, topicDays }: Traffic) {
  // A failed attempt adds a stay in a tier: the delivery is read and written twice more.
  const attempts = endpoints * (1 + failing);
  const cores = Object.entries(MEASURED.cpuUs).map(([name, { event, delivery }]) => {
    const busy = (events * (event + delivery * attempts)) / 1_000_000;
    return { name, cores: busy / USABLE_SHARE, processes: Math.max(1, Math.ceil(busy / USABLE_SHARE)) };
  });
  const meanEvents = events * mean * DAY_S;
  const disk = Object.entries(MEASURED.diskBytes).map(([name, { event, delivery }]) => {
    const more = bytes - MEASURED.eventBytes;
    // Kafka stores the body once for the event and once per delivery. PostgreSQL stores the event's body only.
    const bodies = name === 'kafka' ? 1 + attempts : 1;
    const perEvent = event + delivery * attempts + more * bodies;
    const kept = name === 'kafka' ? topicDays : days;
    return { name, gbPerMillion: perEvent / 1_000, gb: (perEvent * meanEvents * kept) / 1e9 };
  });
  const dispatchers = cores.find(({ name }) => name === 'dispatcher')?.processes ?? 1;
  return { cores, disk, partitions: Math.max(LEAST_PARTITIONS, dispatchers * PARTITIONS_PER_PROCESS) };
}
