import { Counter, Gauge, Histogram } from 'prom-client';

export const returns = new Counter({
  name: 'posthorn_scheduler_returns_total',
  help: 'Deliveries returned from a retry tier to the deliveries topic',
  labelNames: ['tier'],
});

export const moves = new Counter({
  name: 'posthorn_scheduler_moves_total',
  help: 'Deliveries moved from one retry tier to the tier for what remains of their wait',
  labelNames: ['from', 'to'],
});

export const writeFailures = new Counter({
  name: 'posthorn_scheduler_write_failures_total',
  help: 'Times Kafka refused a record that leaves a retry tier; it is tried again',
  labelNames: ['topic'],
});

export const lateness = new Histogram({
  name: 'posthorn_scheduler_lateness_seconds',
  help: 'From the due time of a delivery until Kafka acknowledged its return',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300],
});

/** Records and bytes of one tier in memory. */
export interface TierMemory {
  readonly tier: string;
  readonly records: number;
  readonly bytes: number;
}

/** Registers gauges of the records in memory; each scrape calls `held`. */
export function registerMemoryGauges(held: () => readonly TierMemory[]): void {
  new Gauge({
    name: 'posthorn_scheduler_waiting_records',
    help: 'Deliveries waiting in memory; those that still wait in Kafka are consumer lag',
    labelNames: ['tier'],
    collect() {
      for (const { tier, records } of held()) this.set({ tier }, records);
    },
  });
  new Gauge({
    name: 'posthorn_scheduler_waiting_bytes',
    help: 'Memory of the deliveries waiting or being returned',
    labelNames: ['tier'],
    collect() {
      for (const { tier, bytes } of held()) this.set({ tier }, bytes);
    },
  });
}
