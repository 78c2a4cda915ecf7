import { Deletions } from '#common/collections/deletions.js';
import { operationalSubscriptionMatches, subscriptionMatches } from '#common/domain/subscription.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';

/** Most event types of one tenant in the cache. Producers choose the types, so the cache needs a limit. */
const MAX_REMEMBERED_TYPES = 10_000;

/** Most deleted endpoints that are remembered, so that a stale record cannot restore one. */
const MAX_DELETIONS = 100_000;

interface Tenant {
  readonly endpoints: Map<string, EndpointRecord>;
  readonly byType: Map<string, readonly EndpointRecord[]>;
}

/** The endpoints that take an event, by tenant and type. */
export class Subscriptions {
  private readonly tenants = new Map<string, Tenant>();
  private readonly tenantOf = new Map<string, string>();
  private readonly deletions = new Deletions(MAX_DELETIONS, MAX_VERSION);

  /** Stores an endpoint's configuration. Versions older than the known configuration or deletion are ignored. */
  put(endpoint: EndpointRecord): void {
    const known = this.find(endpoint.id);
    if (known !== undefined && endpoint.version < known.version) return;
    if (this.deletions.covers(endpoint.id, endpoint.version)) return;
    this.takeOut(endpoint.id);
    this.deletions.remove(endpoint.id);
    const tenant = this.tenants.get(endpoint.tenant) ?? { endpoints: new Map(), byType: new Map() };
    tenant.endpoints.set(endpoint.id, endpoint);
    tenant.byType.clear();
    this.tenants.set(endpoint.tenant, tenant);
    this.tenantOf.set(endpoint.id, endpoint.tenant);
  }

  /** @param version of the deletion; a deletion older than the known configuration is ignored */
  remove(endpointId: string, version?: number): void {
    const known = this.find(endpointId);
    if (known !== undefined && version !== undefined && version < known.version) return;
    this.takeOut(endpointId);
    this.deletions.add(endpointId, version);
  }

  /** @returns the tenant's enabled endpoints that take this type */
  matching(tenantName: string, type: string): readonly EndpointRecord[] {
    const tenant = this.tenants.get(tenantName);
    if (tenant === undefined) return [];
    const remembered = tenant.byType.get(type);
    if (remembered !== undefined) return remembered;
    const found = [...tenant.endpoints.values()].filter(
      ({ enabled, event_types }) => enabled && event_types.some((wanted) => subscriptionMatches(wanted, type)),
    );
    if (tenant.byType.size >= MAX_REMEMBERED_TYPES) tenant.byType.clear();
    tenant.byType.set(type, found);
    return found;
  }

  /**
   * @param about the endpoint of the operational event; this endpoint does not receive the event
   * @returns the tenant's other enabled endpoints that ask for this type
   */
  matchingOperational(tenantName: string, type: string, about: string): readonly EndpointRecord[] {
    const endpoints = this.tenants.get(tenantName)?.endpoints.values() ?? [];
    return [...endpoints].filter(
      ({ id, enabled, event_types }) =>
        enabled && id !== about && event_types.some((wanted) => operationalSubscriptionMatches(wanted, type)),
    );
  }

  get size(): number {
    return this.tenantOf.size;
  }

  private takeOut(endpointId: string): void {
    const name = this.tenantOf.get(endpointId);
    const tenant = name === undefined ? undefined : this.tenants.get(name);
    if (name === undefined || tenant === undefined) return;
    this.tenantOf.delete(endpointId);
    tenant.endpoints.delete(endpointId);
    tenant.byType.clear();
    if (tenant.endpoints.size === 0) this.tenants.delete(name);
  }

  private find(endpointId: string): EndpointRecord | undefined {
    const tenant = this.tenantOf.get(endpointId);
    return tenant === undefined ? undefined : this.tenants.get(tenant)?.endpoints.get(endpointId);
  }
}
