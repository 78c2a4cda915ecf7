/** Kinds of fault. The judge's tolerance during a fault depends on its kind. */
export type FaultKind =
  | 'kill'
  | 'terminate'
  | 'freeze'
  | 'storm'
  | 'cut'
  | 'slow_link'
  | 'lost_answer'
  | 'retention'
  | 'log_replaced'
  | 'poison'
  | 'duplicate_event'
  | 'clock_jump'
  | 'dns'
  | 'replay'
  | 'bad_endpoint'
  | 'wrong_key'
  | 'transaction'
  | 'partitions_added'
  /** PostgreSQL was restored from a backup, and brought up to date from the topics. */
  | 'database_restored'
  /** A topic was recreated, or lost its tail: from then on its offsets mean other records. */
  | 'new_log';
