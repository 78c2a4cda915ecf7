import { Counter } from 'prom-client';

/** Raised by the reader that writes the record to the partition of its key. */
export const misplacedRecords = new Counter({
  name: 'posthorn_misplaced_records_total',
  help: 'Records found on another partition than their key belongs to, and moved',
});
