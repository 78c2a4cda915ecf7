import { Counter, Gauge } from 'prom-client';

export const unsignedReplays = new Counter({
  name: 'posthorn_unsigned_replays_total',
  help: 'Replays that were accepted without a MAC. REQUIRE_SIGNED_RECORDS refuses them',
});

export function exposeQueue(queue: () => { readonly deliveries: number; readonly bytes: number }): void {
  new Gauge({
    name: 'posthorn_deliveries_queued',
    help: 'Deliveries waiting in memory',
    collect() {
      this.set(queue().deliveries);
    },
  });
  new Gauge({
    name: 'posthorn_deliveries_queued_bytes',
    help: 'Bytes of the deliveries waiting in memory',
    collect() {
      this.set(queue().bytes);
    },
  });
}
