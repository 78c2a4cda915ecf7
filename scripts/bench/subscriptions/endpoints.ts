import { type EndpointRecord, readEndpoint, UNHELD } from '#common/records/endpoint-record.js';

/** What the endpoints of a scene take. */
export interface Shape {
  readonly endpoints: number;
  readonly tenants: number;
  /** Patterns of each endpoint; a fifth of them are wildcards. */
  readonly patterns: number;
  /** Families of event types, ten types each. A wildcard takes a family. */
  readonly families: number;
  /** `different`: each endpoint chooses its own patterns of the families. `equal`: all choose the same. `own`: no two have one. */
  readonly lists: 'different' | 'equal' | 'own';
}

const TYPES_OF_FAMILY = 10;
/** A secret of 32 bytes, sealed. */
const SEALED = `v1:key-1:${'x'.repeat(96)}`;

export const tenantName = (index: number, { tenants }: Shape) => `tenant-${index % tenants}`;
export const endpointId = (index: number) => `ep_${String(index).padStart(26, '0')}`;
export const typeOf = (family: number, type: number) => `billing-${family}.invoice-${type}`;

/** The record's value on the topic `endpoints`, as control writes it. */
export function endpointValue(index: number, shape: Shape, version = 1): Buffer {
  const record: EndpointRecord = {
    v: 1,
    id: endpointId(index),
    version,
    tenant: tenantName(index, shape),
    url: `https://hooks-${index}.example.com/webhooks/incoming`,
    event_types: patternsOf(index, shape),
    ordering: 'resource',
    retry_policy: { delaysMs: [4_000, 16_000, 64_000], jitter: 'none', permanentStatuses: [] },
    payload: 'full',
    timeout_ms: 10_000,
    max_in_flight: 32,
    signature_header: null,
    secrets: [{ sealed: SEALED, expires_at: null }],
    headers_sealed: null,
    enabled: true,
    ...UNHELD,
  };
  return Buffer.from(JSON.stringify(record));
}

export const endpointOf = (index: number, shape: Shape, version = 1) =>
  readEndpoint(endpointId(index), endpointValue(index, shape, version));

function patternsOf(index: number, { patterns, families, lists }: Shape): string[] {
  if (lists === 'own') return Array.from({ length: patterns }, (_, place) => typeOf(index, place));
  const random = numbers(lists === 'equal' ? 1 : index + 1);
  const chosen = new Set<string>();
  while (chosen.size < patterns) {
    const family = random(families);
    chosen.add(chosen.size % 5 === 4 ? `billing-${family}.*` : typeOf(family, random(TYPES_OF_FAMILY)));
  }
  return [...chosen];
}

/** @returns pseudo-random whole numbers below a limit, the same for the same seed (mulberry32) */
export function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}
