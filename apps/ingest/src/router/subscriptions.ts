import { operationalSubscriptionMatches, subscriptionMatches } from '#common/domain/subscription.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';

/** Event types of one tenant whose answer is kept; producers choose types, so there must be a limit. */
const MAX_REMEMBERED_TYPES = 10_000;

interface Tenant {
  readonly endpoints: Map<string, EndpointRecord>;
  readonly byType: Map<string, readonly EndpointRecord[]>;
}

/** Which endpoints take an event: by tenant, then by type. */
export class Subscriptions {
  private readonly tenants = new Map<string, Tenant>();
  private readonly tenantOf = new Map<string, string>();

  /** Takes an endpoint's current configuration. An older version than the known one changes nothing. */
  put(endpoint: EndpointRecord): void {
    const known = this.find(endpoint.id);
    if (known !== undefined && endpoint.version < known.version) return;
    this.remove(endpoint.id);
    const tenant = this.tenants.get(endpoint.tenant) ?? { endpoints: new Map(), byType: new Map() };
    tenant.endpoints.set(endpoint.id, endpoint);
    tenant.byType.clear();
    this.tenants.set(endpoint.tenant, tenant);
    this.tenantOf.set(endpoint.id, endpoint.tenant);
  }

  remove(endpointId: string): void {
    const name = this.tenantOf.get(endpointId);
    const tenant = name === undefined ? undefined : this.tenants.get(name);
    if (name === undefined || tenant === undefined) return;
    this.tenantOf.delete(endpointId);
    tenant.endpoints.delete(endpointId);
    tenant.byType.clear();
    if (tenant.endpoints.size === 0) this.tenants.delete(name);
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
   * @param about the endpoint an operational event is about: it is the one that does not get it
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

  private find(endpointId: string): EndpointRecord | undefined {
    const tenant = this.tenantOf.get(endpointId);
    return tenant === undefined ? undefined : this.tenants.get(tenant)?.endpoints.get(endpointId);
  }
}
