import { Counter, Gauge } from 'prom-client';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';

export const outboxRecords = new Gauge({
  name: 'posthorn_outbox_records',
  help: 'Records owed to Kafka that were seen at the last look, at most one page',
});

export const setAsideRows = new Counter({
  name: 'posthorn_outbox_set_aside_total',
  help: 'Records of the outbox that Kafka can never take. Each is a dead letter now: payload_error, with the source outbox',
  labelNames: ['topic'],
});

// A counter that first appears with its first increment hides that one from increase(), which alerts are made of.
setAsideRows.inc({ topic: DELIVERIES_TOPIC }, 0);
