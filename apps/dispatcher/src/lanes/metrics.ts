import { Counter, Gauge } from 'prom-client';

export const stale = new Counter({
  name: 'posthorn_stale_records_total',
  help: 'Records whose place in their lane was over already',
});

export function exposeReadAhead(bytes: () => number): void {
  new Gauge({
    name: 'posthorn_parked_read_bytes',
    help: 'Bytes of parked deliveries that were read, or are kept free for those being read, and are not over',
    collect() {
      this.set(bytes());
    },
  });
}
