import { Counter, Gauge, Histogram } from 'prom-client';

/** The door of an event; `control` for operational events. */
export type Door = 'http' | 'kafka' | 'control';

export const accepted = new Counter({
  name: 'posthorn_events_accepted_total',
  help: 'Events accepted, by door: over HTTP when Kafka has them, else when the router has understood them; control counts operational events',
  labelNames: ['door'],
});

export const duplicates = new Counter({
  name: 'posthorn_events_duplicate_total',
  help: 'Events dropped because their id was seen before',
});

export const redelivered = new Counter({
  name: 'posthorn_events_redelivered_total',
  help: 'Events fanned out again because Kafka handed their record over again',
});

export const rejected = new Counter({
  name: 'posthorn_events_rejected_total',
  help: 'Requests and records refused, by door and reason',
  labelNames: ['door', 'reason'],
});

export const acceptSeconds = new Histogram({
  name: 'posthorn_ingest_accept_duration_seconds',
  help: 'From the first byte of a request to its 202, which Kafka has confirmed by then',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

export const waitingRequests = new Gauge({
  name: 'posthorn_ingest_waiting_requests',
  help: 'Requests whose events wait for Kafka to confirm them',
});

export const waitingBytes = new Gauge({
  name: 'posthorn_ingest_waiting_bytes',
  help: 'Bytes of the events that wait for Kafka to confirm them',
});

export const fannedOut = new Counter({
  name: 'posthorn_deliveries_fanned_out_total',
  help: 'Deliveries made from events',
});

export const batchSeconds = new Histogram({
  name: 'posthorn_router_batch_duration_seconds',
  help: 'From taking a batch to having its deliveries confirmed',
  buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

export const batchEvents = new Histogram({
  name: 'posthorn_router_batch_records',
  help: 'Records in a batch',
  buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500],
});

export const queuedBytes = new Gauge({
  name: 'posthorn_router_queued_bytes',
  help: 'Bytes of the records that were read and wait to be routed',
});

export const subscribedEndpoints = new Gauge({
  name: 'posthorn_router_endpoints',
  help: 'Endpoints in the memory of the router, disabled ones included',
});

export const subscribedPatterns = new Gauge({
  name: 'posthorn_router_patterns',
  help: 'Distinct event types and wildcards that the enabled endpoints of all tenants take',
});

/** Read with each scrape: not only batches need PostgreSQL, but also the take-over of a partition. */
export function exposeDatabase(isAvailable: () => boolean): void {
  new Gauge({
    name: 'posthorn_router_database_available',
    help: '1 while the router can store events, 0 while it waits for PostgreSQL',
    collect() {
      this.set(isAvailable() ? 1 : 0);
    },
  });
}
