import { Counter } from 'prom-client';
import type { CarryCounts } from '#common/postgres/carry-store.js';

const carriedOver = new Counter({
  name: 'posthorn_deliveries_carried_over_total',
  help: 'Deliveries that waited in a lost log and were made again: heads of lanes, parked ones, ones that wait in a tier; or lost heads, whose event is not archived',
  labelNames: ['kind'],
});

/** @param before counts before the page */
export function countCarried(before: CarryCounts, after: CarryCounts): void {
  carriedOver.inc({ kind: 'head' }, after.heads - before.heads);
  carriedOver.inc({ kind: 'parked' }, after.parked - before.parked);
  carriedOver.inc({ kind: 'waiting' }, after.waiting - before.waiting);
  carriedOver.inc({ kind: 'lost' }, after.lost - before.lost);
}
