import fc from 'fast-check';
import { operationalSubscriptionMatches, subscriptionMatches } from '#common/domain/subscription.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { ENDPOINT } from '../../../../../test/support/endpoint-record.js';
import { Subscriptions } from './subscriptions.js';

type Change = { readonly put: EndpointRecord } | { readonly remove: string; readonly version: number | undefined };

const TENANTS = ['acme', '__proto__', 'constructor'];
const IDS = ['ep_1', 'ep_2', 'ep_3', 'ep_4', '__proto__', 'toString'];

/** Few names, so that types and patterns meet. */
const name = fc.constantFrom('a', 'b', '__proto__', 'constructor');
const names = fc.array(name, { minLength: 1, maxLength: 4 }).map((list) => list.join('.'));
/** The API refuses the last ones. Another writer of the topic may have written them. */
const pattern = fc.oneof(
  names,
  names.map((start) => `${start}.*`),
  fc.constantFrom('*', '.*', '', 'a.', '**', 'a.*.b', 'a..*', '\ud800.*'),
);
const type = fc.oneof(names, fc.constantFrom('', '*', '**', 'a.', 'a..b', '.a', 'a.*'));

const put = fc
  .record({
    id: fc.constantFrom(...IDS),
    tenant: fc.constantFrom(...TENANTS),
    version: fc.oneof(fc.nat(5), fc.constant(MAX_VERSION)),
    event_types: fc.array(pattern, { maxLength: 5 }),
    enabled: fc.boolean(),
    ordering: fc.constantFrom('resource', 'endpoint', 'none'),
    payload: fc.constantFrom('full', 'thin'),
  })
  .map((fields): Change => ({ put: { ...ENDPOINT, ...fields } }));
const remove = fc
  .record({ remove: fc.constantFrom(...IDS), version: fc.option(fc.nat(5), { nil: undefined }) })
  .map((fields): Change => fields);
const changes = fc.array(fc.oneof({ weight: 3, arbitrary: put }, { weight: 1, arbitrary: remove }), {
  maxLength: 40,
  size: 'max',
});

/** Keeps every endpoint, and asks all of them. */
class Reference {
  readonly endpoints = new Map<string, EndpointRecord>();
  private readonly deletions = new Map<string, number>();

  apply(change: Change): void {
    if ('put' in change) this.put(change.put);
    else this.remove(change.remove, change.version);
  }

  taking(tenant: string, takes: (wanted: string) => boolean) {
    const all = [...this.endpoints.values()];
    return shown(all.filter((one) => one.tenant === tenant && one.enabled && one.event_types.some(takes)));
  }

  get patternCount(): number {
    const enabled = [...this.endpoints.values()].filter((endpoint) => endpoint.enabled);
    return new Set(enabled.flatMap(({ event_types }) => event_types.map((text) => text.toWellFormed()))).size;
  }

  private put(endpoint: EndpointRecord): void {
    const { id, version } = endpoint;
    const deleted = version === MAX_VERSION ? -1 : (this.deletions.get(id) ?? -1);
    if (version < (this.endpoints.get(id)?.version ?? 0) || version <= deleted) return;
    this.deletions.delete(id);
    this.endpoints.set(id, endpoint);
  }

  private remove(id: string, version: number | undefined): void {
    const known = this.endpoints.get(id);
    if (known !== undefined && version !== undefined && version < known.version) return;
    this.endpoints.delete(id);
    this.deletions.set(id, Math.max(this.deletions.get(id) ?? -1, version ?? -1));
  }
}

/** What fan-out reads, by id. */
function shown(endpoints: readonly Pick<EndpointRecord, 'id' | 'ordering' | 'payload'>[]) {
  const texts = endpoints.map(({ id, ordering, payload }) => [id, ordering, payload].join());
  return texts.sort();
}

const about = 'ep_1';

function expectEqual(subscriptions: Subscriptions, reference: Reference, types: readonly string[]): void {
  expect(subscriptions.size).toBe(reference.endpoints.size);
  expect(subscriptions.patternCount).toBe(reference.patternCount);
  for (const tenant of [...TENANTS, 'nobody']) {
    for (const one of types) {
      const own = reference.taking(tenant, (wanted) => subscriptionMatches(wanted, one));
      expect(shown(subscriptions.matching(tenant, one))).toEqual(own);
      const operational = reference.taking(tenant, (wanted) => operationalSubscriptionMatches(wanted, one));
      const others = operational.filter((text) => !text.startsWith(`${about},`));
      expect(shown(subscriptions.matchingOperational(tenant, one, about))).toEqual(others);
    }
  }
}

describe('Subscriptions', () => {
  it('given any changes, then after each one a lookup finds what a look at every endpoint finds', () => {
    fc.assert(
      fc.property(changes, fc.array(type, { minLength: 1, maxLength: 4 }), (all, types) => {
        const [subscriptions, reference] = [new Subscriptions(), new Reference()];
        for (const change of all) {
          if ('put' in change) subscriptions.put(change.put);
          else subscriptions.remove(change.remove, change.version);
          reference.apply(change);
          expectEqual(subscriptions, reference, types);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('given any endpoints, when all are removed, then no pattern is left', () => {
    fc.assert(
      fc.property(changes, (all) => {
        const subscriptions = new Subscriptions();
        for (const change of all) if ('put' in change) subscriptions.put(change.put);
        for (const id of IDS) subscriptions.remove(id);
        expect([subscriptions.size, subscriptions.patternCount]).toEqual([0, 0]);
      }),
    );
  });
});
