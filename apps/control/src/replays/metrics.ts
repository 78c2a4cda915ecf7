import { Counter } from 'prom-client';

export const requestedReplays = new Counter({
  name: 'posthorn_replays_requested_total',
  help: 'Dead letters replayed, and deliveries sent again, on request',
  labelNames: ['kind'],
});

// A counter that first appears with its first increment hides that one from increase(), which alerts are made of.
for (const kind of ['dead_letter', 'delivery', 'recovery', 'bulk']) requestedReplays.inc({ kind }, 0);

export const refusedReplays = new Counter({
  name: 'posthorn_replays_refused_total',
  help: 'Dead letters that cannot be replayed: too large for deliveries, or replayed too often. The log names each',
});
