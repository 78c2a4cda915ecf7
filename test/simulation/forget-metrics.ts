import { register } from 'prom-client';

/** Apps share names of metrics, as they never share a process; here they do, and start many times. */
export function forgetMetrics(): void {
  register.clear();
}

// One app's files were imported; another's may follow.
forgetMetrics();
