import { Counter } from 'prom-client';

/** Raised by the app that writes the dead letter. A retry-scheduler's reason is always `payload_error`. */
export const deadLetters = new Counter({
  name: 'posthorn_dead_letters_total',
  help: 'Deliveries and records given up, by reason',
  labelNames: ['reason'],
});

// increase() misses the first increment of a counter that was not exported before. The alerts use increase().
deadLetters.inc({ reason: 'payload_error' }, 0);
