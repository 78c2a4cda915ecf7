import { Counter, Gauge } from 'prom-client';

export const openedEndpoints = new Counter({
  name: 'posthorn_endpoints_opened_total',
  help: 'Endpoints whose secrets were opened for their first delivery, or again after they were closed',
});

/** Registered endpoints, at rest and in use. */
export function exposeEndpoints(endpoints: () => { known: number; policies: number; textBytes: number }): void {
  new Gauge({
    name: 'posthorn_endpoints_known',
    help: 'Endpoints that are registered',
    collect() {
      this.set(endpoints().known);
    },
  });
  new Gauge({
    name: 'posthorn_endpoint_policies',
    help: 'Different retry policies of the registered endpoints',
    collect() {
      this.set(endpoints().policies);
    },
  });
  new Gauge({
    name: 'posthorn_endpoint_text_bytes',
    help: 'Bytes of the buffers with the registered endpoints',
    collect() {
      this.set(endpoints().textBytes);
    },
  });
}

/** @param open bytes are an estimate */
export function exposeOpenEndpoints(open: () => { count: number; bytes: number }): void {
  new Gauge({
    name: 'posthorn_endpoints_open',
    help: 'Endpoints whose secrets are open in memory',
    collect() {
      this.set(open().count);
    },
  });
  new Gauge({
    name: 'posthorn_endpoints_open_bytes',
    help: 'Estimated bytes of the open endpoints, at most OPEN_ENDPOINTS_BYTES',
    collect() {
      this.set(open().bytes);
    },
  });
}

export function exposeKeyMissing(endpoints: () => number): void {
  new Gauge({
    name: 'posthorn_endpoints_key_missing',
    help: 'Endpoints whose deliveries are parked, because SECRET_KEYS lacks a key their secrets are sealed under',
    collect() {
      this.set(endpoints());
    },
  });
}

export function exposeGates(gates: () => number): void {
  new Gauge({
    name: 'posthorn_endpoint_gates',
    help: 'Endpoints with a gate: those with deliveries in the last seconds, or with parked ones',
    collect() {
      this.set(gates());
    },
  });
}

export function exposeDeferred(deliveries: () => number): void {
  new Gauge({
    name: 'posthorn_deliveries_deferred',
    help: 'Deliveries that were read while the backlog of their endpoint was full, and are read again when it has room',
    collect() {
      this.set(deliveries());
    },
  });
}
