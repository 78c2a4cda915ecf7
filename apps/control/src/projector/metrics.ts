import { Counter, Gauge } from 'prom-client';
import { DEAD_REASONS } from '#common/domain/verdict.js';
import { BoundedLabel } from '#common/observability/bounded-label.js';
import { ATTEMPTS_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';

export const projectedAttempts = new Counter({
  name: 'posthorn_projected_attempts_total',
  help: 'Attempts written to the database',
  labelNames: ['outcome'],
});

export const projectedDeadLetters = new Counter({
  name: 'posthorn_projected_dead_letters_total',
  help: 'Dead letters written to the database',
  labelNames: ['reason'],
});

export const rejectedRecords = new Counter({
  name: 'posthorn_projector_rejected_records_total',
  help: 'Records of attempts and dlq that could not be projected. Anything above zero is a fault',
  labelNames: ['topic'],
});

/** @param oldestMs when the oldest record that is not in the database yet was written to Kafka */
export function exposeProjectorLag(oldestMs: () => number | undefined): void {
  new Gauge({
    name: 'posthorn_projector_lag_seconds',
    help: 'Age of the oldest record read and not yet in the database; 0 when there is none',
    collect() {
      const oldest = oldestMs();
      this.set(oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1_000);
    },
  });
}

export const projectorGapRecords = new Gauge({
  name: 'posthorn_projector_gap_records',
  help: 'Records of attempts and dlq that the database lacks, at most: it was restored. `npm run rebuild` brings them back',
});

export const endpointDeliveries = new Counter({
  name: 'posthorn_endpoint_deliveries_total',
  help: 'Deliveries that ended, by endpoint; beyond a bounded number of endpoints, all others together',
  labelNames: ['endpoint', 'outcome'],
});

export const endpointLastSuccess = new Gauge({
  name: 'posthorn_endpoint_last_success_timestamp_seconds',
  help: 'When the endpoint last took a delivery',
  labelNames: ['endpoint'],
});

/** Label values for endpoints: a scrape stays small whatever the number of endpoints. */
export const endpointLabel = new BoundedLabel(200);

export const breakerOpenings = new Counter({
  name: 'posthorn_breaker_openings_total',
  help: 'Times a breaker opened, a probe that failed included',
});

// A counter that first appears with its first increment hides that one from increase(), which alerts are made of.
for (const outcome of ['delivered', 'retry', 'dead']) projectedAttempts.inc({ outcome }, 0);
for (const reason of DEAD_REASONS) projectedDeadLetters.inc({ reason }, 0);
for (const topic of [ATTEMPTS_TOPIC, DLQ_TOPIC]) rejectedRecords.inc({ topic }, 0);
