import { Counter, Gauge } from 'prom-client';
import { DEAD_REASONS } from '#common/domain/verdict.js';
import { BoundedLabel } from '#common/observability/bounded-label.js';
import { API_KEYS_TOPIC, ATTEMPTS_TOPIC, DLQ_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';

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

export const requestedReplays = new Counter({
  name: 'posthorn_replays_requested_total',
  help: 'Dead letters replayed, and deliveries sent again, on request',
  labelNames: ['kind'],
});

export const outboxRecords = new Gauge({
  name: 'posthorn_outbox_records',
  help: 'Records owed to Kafka that were seen at the last look, at most one page',
});

export const configurationAhead = new Gauge({
  name: 'posthorn_configuration_ahead',
  help: '1 while the topics have changes of the configuration that the database lacks: it was restored. Changes are refused',
});

export const rewrittenRecords = new Counter({
  name: 'posthorn_configuration_rewritten_total',
  help: 'Records of endpoints and api-keys written again, since a record that is ignored, or older, had come after them',
  labelNames: ['topic'],
});

export const orphanedKeys = new Gauge({
  name: 'posthorn_configuration_orphans',
  help: 'Keys of endpoints and api-keys, written by an earlier release or a stranger, that the database does not know',
  labelNames: ['topic'],
});

export const projectorGapRecords = new Gauge({
  name: 'posthorn_projector_gap_records',
  help: 'Records of attempts and dlq that the database lacks, at most: it was restored. `npm run rebuild` brings them back',
});

export const endpointCount = new Gauge({
  name: 'posthorn_endpoints',
  help: 'Endpoints by status',
  labelNames: ['status'],
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

export const breakers = new Gauge({
  name: 'posthorn_breakers',
  help: 'Endpoints by the state of their breaker',
  labelNames: ['state'],
});

export const breakerState = new Gauge({
  name: 'posthorn_endpoint_breaker_state',
  help: 'Breakers that are not closed, those open longest first, up to a bounded number: 1 half-open, 2 open',
  labelNames: ['endpoint'],
});

export const parkedLanes = new Gauge({
  name: 'posthorn_parked_lanes',
  help: 'Lanes whose deliveries wait, by reason: behind a head in a retry tier, or since the endpoint took nothing',
  labelNames: ['reason'],
});

export const parkedDeliveries = new Gauge({
  name: 'posthorn_parked_deliveries',
  help: 'Deliveries that wait in the database',
});

export const oldestParkedAge = new Gauge({
  name: 'posthorn_parked_oldest_age_seconds',
  help: 'How long the oldest parked delivery has waited; 0 when there is none',
});

// A counter that first appears with its first increment hides that one from increase(), which alerts are made of.
for (const outcome of ['delivered', 'retry', 'dead']) projectedAttempts.inc({ outcome }, 0);
for (const reason of DEAD_REASONS) projectedDeadLetters.inc({ reason }, 0);
for (const topic of [ATTEMPTS_TOPIC, DLQ_TOPIC]) rejectedRecords.inc({ topic }, 0);
for (const topic of [ENDPOINTS_TOPIC, API_KEYS_TOPIC]) rewrittenRecords.inc({ topic }, 0);
for (const kind of ['dead_letter', 'delivery', 'recovery', 'bulk']) requestedReplays.inc({ kind }, 0);
