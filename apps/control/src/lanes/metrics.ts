import { Gauge } from 'prom-client';

export const breakers = new Gauge({
  name: 'posthorn_breakers',
  help: 'Endpoints by the state of their breaker',
  labelNames: ['state'],
});

export const breakerState = new Gauge({
  name: 'posthorn_endpoint_breaker_state',
  help: 'Breakers that are not closed, those open longest first, up to a bounded number: 1 half-open, 2 open',
  labelNames: ['endpoint'],
});

export const parkedLanes = new Gauge({
  name: 'posthorn_parked_lanes',
  help: 'Lanes whose deliveries wait, by reason: behind a head in a retry tier, or since the endpoint took nothing',
  labelNames: ['reason'],
});

export const parkedDeliveries = new Gauge({
  name: 'posthorn_parked_deliveries',
  help: 'Deliveries that wait in the database',
});

export const oldestParkedAge = new Gauge({
  name: 'posthorn_parked_oldest_age_seconds',
  help: 'How long the oldest parked delivery has waited; 0 when there is none',
});
