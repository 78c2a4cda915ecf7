import { Counter, Gauge, Histogram } from 'prom-client';
import type { Sender } from '#common/http/sender.js';
import { BoundedLabel } from '#common/observability/bounded-label.js';

/** Endpoints that get a label of their own; all further ones share `other`. */
const ENDPOINT_LABELS = 200;

export const endpointLabel = new BoundedLabel(ENDPOINT_LABELS);

export const attempts = new Counter({
  name: 'posthorn_attempts_total',
  help: 'Attempts by outcome',
  labelNames: ['outcome'],
});

export const endpointAttempts = new Counter({
  name: 'posthorn_endpoint_attempts_total',
  help: 'Attempts by endpoint and outcome; endpoints beyond the label limit share "other"',
  labelNames: ['endpoint', 'outcome'],
});

export const attemptErrors = new Counter({
  name: 'posthorn_attempt_errors_total',
  help: 'Attempts without a usable status, by error',
  labelNames: ['error'],
});

export const ownFaults = new Counter({
  name: 'posthorn_attempts_not_made_total',
  help: 'Attempts that a fault of this process kept from its endpoint (no DNS, no file handles), and that are tried again',
});

export const attemptSeconds = new Histogram({
  name: 'posthorn_attempt_duration_seconds',
  help: 'From the start of an attempt to its verdict',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

export const retries = new Counter({
  name: 'posthorn_retries_total',
  help: 'Deliveries put into a tier to wait for their next attempt',
  labelNames: ['tier'],
});

export const repeats = new Counter({
  name: 'posthorn_repeated_records_total',
  help: 'Records dropped because their attempt was finished here lately',
});

export const drained = new Counter({
  name: 'posthorn_drained_deliveries_total',
  help: 'Attempts of deliveries that were parked, probes of a half-open breaker included',
});

export const repeatedHandOvers = new Counter({
  name: 'posthorn_repeated_hand_overs_total',
  help: 'Deliveries put into their tier again, because a crash cut the first time off',
});

export const deliverySeconds = new Histogram({
  name: 'posthorn_delivery_latency_seconds',
  help: 'From the acceptance of an event to its delivery',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 30, 60, 300, 3_600, 86_400],
});

export const firstAttemptSeconds = new Histogram({
  name: 'posthorn_first_attempt_latency_seconds',
  help: 'From the acceptance of an event to the start of its first attempt',
  buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
});

/** The gauge is read with each scrape, since it changes with every delivery. */
export function exposeInFlight(attemptsUnderWay: () => number): void {
  new Gauge({
    name: 'posthorn_attempts_in_flight',
    help: 'Attempts under way',
    collect() {
      this.set(attemptsUnderWay());
    },
  });
}

/** Connections to endpoints, read with each scrape. Their number is bounded by `MAX_CONNECTIONS_OUT`. */
export function exposeConnections(sender: Pick<Sender, 'stats' | 'evictions'>): void {
  new Gauge({
    name: 'posthorn_connections_out',
    help: 'Connections to endpoints, by state',
    labelNames: ['state'],
    collect() {
      const { busy, idle } = sender.stats;
      this.set({ state: 'busy' }, busy);
      this.set({ state: 'idle' }, idle);
    },
  });
  new Gauge({
    name: 'posthorn_connection_waiting_requests',
    help: 'Requests that wait because MAX_CONNECTIONS_OUT connections are busy',
    collect() {
      this.set(sender.stats.waiting);
    },
  });
  new Counter({
    name: 'posthorn_connections_evicted_total',
    help: 'Idle connections closed to make room for connections to other endpoints',
    collect() {
      this.reset();
      this.inc(sender.evictions);
    },
  });
}
