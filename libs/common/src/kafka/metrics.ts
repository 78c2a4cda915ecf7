import { Counter, Gauge } from 'prom-client';

/** Metrics every consumer and producer of an app shares. */
export const lagRecords = new Gauge({
  name: 'posthorn_consumer_lag_records',
  help: 'Records between the watermark and the end of the log',
  labelNames: ['topic', 'partition'],
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
