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

export const setAsideRecords = new Counter({
  name: 'posthorn_records_rejected_total',
  help: 'Malformed records of internal topics that were left out, by topic. Above zero: another program writes to the topic',
  labelNames: ['topic'],
});

export const replacedLogs = new Counter({
  name: 'posthorn_log_replaced_total',
  help: 'Partitions whose topic was made again: their commits belonged to another log, and reading began at its first record',
  labelNames: ['topic'],
});

export const foreignCommits = new Counter({
  name: 'posthorn_foreign_commits_total',
  help: 'Partitions taken over at a commit that no Posthorn wrote: an operator reset the group, or another program has its id',
  labelNames: ['topic'],
});

export const truncatedLogs = new Counter({
  name: 'posthorn_log_truncated_total',
  help: 'Partitions that lost records that were read: reading went on where the log first differs, and that of configuration began again',
  labelNames: ['topic'],
});

export const recreatedTopics = new Counter({
  name: 'posthorn_topics_recreated_total',
  help: 'Topics that were missing while the app ran and that it created again. Their records are lost',
  labelNames: ['topic'],
});

export const newGenerations = new Counter({
  name: 'posthorn_log_generations_total',
  help: 'Times a topic was found to have another log than before: it was deleted and made again, or Kafka was replaced',
  labelNames: ['topic'],
});

export const ignoredConfigurationRecords = new Counter({
  name: 'posthorn_ignored_configuration_records_total',
  help: 'Records of endpoints and api-keys that were ignored: malformed, forged, or unsigned where that is refused. Anything above zero is a fault or an attack',
  labelNames: ['topic', 'reason'],
});

export const unsignedConfigurationRecords = new Counter({
  name: 'posthorn_unsigned_configuration_records_total',
  help: 'Records of endpoints and api-keys that were used without a signature, although public keys are configured',
  labelNames: ['topic'],
});
