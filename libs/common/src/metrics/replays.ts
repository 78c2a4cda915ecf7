import { Counter } from 'prom-client';

/** Raised by the router for a dead letter in `ingest`, and by the dispatcher for its attempt. */
export const replays = new Counter({
  name: 'posthorn_replays_total',
  help: 'Dead letters that came back to be delivered again',
});
