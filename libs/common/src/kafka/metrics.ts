import { Counter, Gauge } from 'prom-client';

/** Metrics every consumer and producer of an app shares. */
export const lagRecords = new Gauge({
  name: 'posthorn_consumer_lag_records',
  help: "Records from the group's commit to the last stable offset, both as the broker says; of a table, from the position. Each process of an app shows all partitions: take max by (topic, partition)",
  labelNames: ['topic', 'partition'],
});

export const openTransactionRecords = new Gauge({
  name: 'posthorn_consumer_open_transaction_records',
  help: 'Records from the last stable offset to the end of the log: they wait for an open transaction. Take max by (topic, partition)',
  labelNames: ['topic', 'partition'],
});

export const stalledPartitions = new Gauge({
  name: 'posthorn_consumer_stalled_partitions',
  help: 'Partitions this process reads that have lag, and neither progress nor a reason. Readiness names them',
  labelNames: ['topic'],
});

export const unfinishedRecords = new Gauge({
  name: 'posthorn_consumer_unfinished_records',
  help: 'Records read and not yet finished',
  labelNames: ['topic', 'partition'],
});

export const rebalances = new Counter({
  name: 'posthorn_consumer_rebalances_total',
  help: 'Times a consumer joined its group',
  labelNames: ['group'],
});

export const lostRecords = new Counter({
  name: 'posthorn_log_lost_records_total',
  help: 'Records that left the log before they were finished. Anything above zero is data loss',
  labelNames: ['topic'],
});

export const commitFailures = new Counter({
  name: 'posthorn_commit_failures_total',
  help: 'Offset commits the broker did not confirm',
  labelNames: ['group'],
});
