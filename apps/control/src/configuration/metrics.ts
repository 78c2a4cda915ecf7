import { Counter, Gauge } from 'prom-client';
import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';

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

// A counter that first appears with its first increment hides that one from increase(), which alerts are made of.
for (const topic of [ENDPOINTS_TOPIC, API_KEYS_TOPIC]) rewrittenRecords.inc({ topic }, 0);
