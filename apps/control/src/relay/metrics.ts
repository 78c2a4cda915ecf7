import { Gauge } from 'prom-client';

export const outboxRecords = new Gauge({
  name: 'posthorn_outbox_records',
  help: 'Records owed to Kafka that were seen at the last look, at most one page',
});
