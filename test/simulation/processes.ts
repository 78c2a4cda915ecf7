import { register } from 'prom-client';
import { startProjector } from './control-process.js';
import { startDispatcher } from './dispatcher-process.js';
import { startScheduler } from './scheduler-process.js';
import type { Site } from './site.js';
import type { Host } from './virtual-time.js';

export const APPS = ['dispatcher', 'retry-scheduler', 'control'] as const;
export type App = (typeof APPS)[number];

/** Starts a process of an app. @returns function that stops it in order */
export function startApp(app: App, host: Host, site: Site): () => Promise<void> {
  // Each start makes the gauges of its app again.
  register.clear();
  switch (app) {
    case 'dispatcher':
      return startDispatcher(host, site);
    case 'retry-scheduler':
      return startScheduler(host, site);
    case 'control':
      return startProjector(host, site);
  }
}
