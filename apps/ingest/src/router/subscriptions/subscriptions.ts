import { Deletions } from '#common/collections/deletions.js';
import { ORDERINGS } from '#common/domain/lane.js';
import type { Receiver } from '#common/postgres/delivery-parts.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { Numbers, withRoom } from './numbers.js';
import { packNumbers, unpackNumbers } from './packed-numbers.js';
import { Patterns } from './patterns.js';
import { Postings } from './postings.js';
import { Tenants } from './tenants.js';

/** Most deleted endpoints that are remembered, so that a stale record cannot restore one. */
const MAX_DELETIONS = 100_000;

/** What the router knows of an endpoint. A change makes another object: events in flight keep the one they found. */
interface Subscriber extends Receiver {
  readonly version: number;
  /** Its patterns' numbers, packed; none while it is disabled. */
  readonly patterns: string;
}

/**
 * The endpoints that take an event, by tenant and type. An endpoint is a number here, its slot.
 *
 * A lookup finds the patterns that take the type, and the tenant's slots of each pattern. It is fast enough that no result is
 * cached: a type costs nothing after its lookup, and a change of an endpoint touches only its own patterns (ADR 35).
 */
export class Subscriptions {
  private readonly slots = new Numbers();
  private readonly slotOf = new Map<string, number>();
  private readonly subscribers: (Subscriber | undefined)[] = [];
  /** By slot. */
  private tenantOf: Uint32Array<ArrayBuffer> = new Uint32Array(16);
  private readonly tenants = new Tenants();
  private readonly patterns = new Patterns();
  private readonly postings = new Postings((slot) => this.tenantOf[slot] ?? 0);
  private readonly deletions = new Deletions(MAX_DELETIONS, MAX_VERSION);

  /** Endpoints. */
  get size(): number {
    return this.slotOf.size;
  }

  /** Distinct patterns of all enabled endpoints. */
  get patternCount(): number {
    return this.patterns.size;
  }

  /** Stores an endpoint's configuration. Versions older than the known configuration or deletion are ignored. */
  put(endpoint: EndpointRecord): void {
    const { id, version, tenant } = endpoint;
    const slot = this.slotOf.get(id);
    const known = slot === undefined ? undefined : this.subscribers[slot];
    if (known !== undefined && version < known.version) return;
    if (this.deletions.covers(id, version)) return;
    this.deletions.remove(id);
    const texts = endpoint.enabled ? endpoint.event_types : [];
    if (slot === undefined || known === undefined) this.insert(endpoint, texts);
    else if (this.tenantNameOf(slot) === tenant && this.hasPatterns(known, texts)) {
      this.subscribers[slot] = subscriberOf(known.id, endpoint, known.patterns);
    } else {
      this.takeOut(slot, known);
      this.insert(endpoint, texts);
    }
  }

  /** @param version of the deletion; a deletion older than the known configuration is ignored */
  remove(endpointId: string, version?: number): void {
    const slot = this.slotOf.get(endpointId);
    const known = slot === undefined ? undefined : this.subscribers[slot];
    if (known !== undefined && version !== undefined && version < known.version) return;
    if (slot !== undefined && known !== undefined) this.takeOut(slot, known);
    this.deletions.add(endpointId, version);
  }

  /** @returns the tenant's enabled endpoints that take this type, by slot */
  matching(tenantName: string, type: string): readonly Receiver[] {
    const tenant = this.tenants.numberOf(tenantName);
    return tenant === undefined ? [] : this.receivers(tenant, this.patterns.taking(type));
  }

  /**
   * @param about the endpoint of the operational event; this endpoint does not receive the event
   * @returns the tenant's other enabled endpoints that ask for this type, by slot
   */
  matchingOperational(tenantName: string, type: string, about: string): readonly Receiver[] {
    const tenant = this.tenants.numberOf(tenantName);
    if (tenant === undefined) return [];
    return this.receivers(tenant, this.patterns.takingByName(type)).filter(({ id }) => id !== about);
  }

  private receivers(tenant: number, patterns: readonly number[]): Receiver[] {
    let slots: number[] = [];
    for (const pattern of patterns) slots = union(slots, this.postings.of(pattern, tenant));
    const receivers: Receiver[] = [];
    for (const slot of slots) {
      const receiver = this.subscribers[slot];
      if (receiver !== undefined) receivers.push(receiver);
    }
    return receivers;
  }

  private insert(endpoint: EndpointRecord, texts: readonly string[]): void {
    const slot = this.slots.take();
    this.tenantOf = withRoom(this.tenantOf, slot);
    this.tenantOf[slot] = this.tenants.enter(endpoint.tenant);
    const patterns = [...new Set(texts)].map((text) => this.patterns.numberOf(text));
    for (const pattern of patterns) this.postings.add(pattern, slot);
    this.slotOf.set(endpoint.id, slot);
    this.subscribers[slot] = subscriberOf(endpoint.id, endpoint, packNumbers(patterns));
  }

  private takeOut(slot: number, { id, patterns }: Subscriber): void {
    for (const pattern of unpackNumbers(patterns)) {
      if (this.postings.remove(pattern, slot)) this.patterns.drop(pattern);
    }
    this.tenants.leave(this.tenantOf[slot] ?? 0);
    this.slotOf.delete(id);
    this.subscribers[slot] = undefined;
    this.slots.give(slot);
  }

  private tenantNameOf(slot: number): string {
    return this.tenants.nameOf(this.tenantOf[slot] ?? 0);
  }

  private hasPatterns(known: Subscriber, texts: readonly string[]): boolean {
    const numbers = unpackNumbers(known.patterns);
    return (
      numbers.length === texts.length && numbers.every((number, index) => this.patterns.textOf(number) === texts[index])
    );
  }
}

/** The texts of the record are replaced by constants: a parsed one would take memory for each endpoint. */
function subscriberOf(id: string, { ordering, payload, version }: EndpointRecord, patterns: string): Subscriber {
  return {
    id,
    ordering: ORDERINGS.find((one) => one === ordering) ?? ordering,
    payload: payload === 'thin' ? 'thin' : 'full',
    version,
    patterns,
  };
}

/** Behind every slot. */
const END = 2 ** 32;

/** @returns the numbers of both ascending lists, each once, in ascending order */
function union(one: number[], other: number[]): number[] {
  if (one.length === 0) return other;
  if (other.length === 0) return one;
  const both: number[] = [];
  for (let left = 0, right = 0; left < one.length || right < other.length; ) {
    const a = one[left] ?? END;
    const b = other[right] ?? END;
    both.push(Math.min(a, b));
    if (a <= b) left++;
    if (b <= a) right++;
  }
  return both;
}
