import { Gauge } from 'prom-client';

export const endpointCount = new Gauge({
  name: 'posthorn_endpoints',
  help: 'Endpoints by status',
  labelNames: ['status'],
});
