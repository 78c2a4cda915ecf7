import { Numbers } from './numbers.js';

/** The tenants that have endpoints, as numbers. */
export class Tenants {
  private readonly numbers = new Numbers();
  private readonly byName = new Map<string, number>();
  private readonly names: string[] = [];
  private readonly endpoints: number[] = [];

  /** @returns undefined for a tenant without endpoints */
  numberOf(name: string): number | undefined {
    return this.byName.get(name);
  }

  nameOf(tenant: number): string {
    return this.names[tenant] ?? '';
  }

  /** The tenant has one more endpoint. @returns its number */
  enter(name: string): number {
    const known = this.byName.get(name);
    const tenant = known ?? this.add(name);
    this.endpoints[tenant] = (this.endpoints[tenant] ?? 0) + 1;
    return tenant;
  }

  /** The tenant has one endpoint less. A tenant without endpoints is forgotten. */
  leave(tenant: number): void {
    const left = (this.endpoints[tenant] ?? 0) - 1;
    this.endpoints[tenant] = left;
    if (left > 0) return;
    this.byName.delete(this.nameOf(tenant));
    this.names[tenant] = '';
    this.numbers.give(tenant);
  }

  private add(name: string): number {
    const tenant = this.numbers.take();
    this.byName.set(name, tenant);
    this.names[tenant] = name;
    return tenant;
  }
}
