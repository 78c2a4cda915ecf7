import { EndpointClient } from '#common/http/endpoint-client.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import type { AddressPolicy } from '#common/security/address-policy.js';

/** Longer than an idle connection is kept: a pool that is dropped has no connection. */
const SWEEP_MS = 10_000;

/**
 * A connection pool for each endpoint with recent attempts. An unused pool takes 20 KB (measured), and tens of thousands of
 * idle endpoints would take gigabytes.
 */
export class EndpointClients {
  private readonly clients = new Map<string, EndpointClient>();
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly policy: AddressPolicy,
    sweepMs = SWEEP_MS,
  ) {
    this.sweeper = setInterval(() => this.sweep(), sweepMs).unref();
  }

  get size(): number {
    return this.clients.size;
  }

  of({ id, url, max_in_flight }: Pick<EndpointRecord, 'id' | 'url' | 'max_in_flight'>): EndpointClient {
    const known = this.clients.get(id);
    if (known) return known;
    const client = new EndpointClient({ url, maxConnections: max_in_flight, policy: this.policy });
    this.clients.set(id, client);
    return client;
  }

  /** Requests in flight finish on the connections they have. */
  forget(endpointId: string): void {
    const client = this.clients.get(endpointId);
    this.clients.delete(endpointId);
    void client?.close();
  }

  async close(): Promise<void> {
    clearInterval(this.sweeper);
    await Promise.all([...this.clients.values()].map((client) => client.close()));
  }

  private sweep(): void {
    for (const [endpointId, client] of this.clients) if (client.isIdle) this.forget(endpointId);
  }
}
