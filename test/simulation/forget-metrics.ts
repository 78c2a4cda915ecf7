import { register } from 'prom-client';

/** Clears the metrics registry. Apps share metric names, and the simulation runs them in one process, many times. */
export function forgetMetrics(): void {
  register.clear();
}

// Each app's import registers its metrics. Clear them before the next import.
forgetMetrics();
