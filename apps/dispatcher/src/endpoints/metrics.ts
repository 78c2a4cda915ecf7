import { Gauge } from 'prom-client';

export function exposeKeyMissing(endpoints: () => number): void {
  new Gauge({
    name: 'posthorn_endpoints_key_missing',
    help: 'Endpoints whose deliveries are parked, because SECRET_KEYS lacks a key their secrets are sealed under',
    collect() {
      this.set(endpoints());
    },
  });
}
