import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type EndpointRecord, endpointRecordSchema, readEndpoint } from '#common/records/endpoint-record.js';
import { ENDPOINT } from '../../../../test/support/endpoint-record.js';
import { PackedEndpoints } from './packed-endpoints.js';

const fields: { [Name in keyof EndpointRecord]?: fc.Arbitrary<EndpointRecord[Name]> } = {
  version: fc.nat(1_000),
  tenant: fc.constantFrom('acme', 'other'),
  url: fc.webUrl(),
  ordering: fc.constantFrom('resource', 'endpoint', 'none'),
  retry_policy: fc.record({
    delaysMs: fc.array(fc.nat(100_000), { maxLength: 3 }),
    jitter: fc.constantFrom('none', 'full'),
    permanentStatuses: fc.array(fc.integer({ min: 300, max: 599 }), { maxLength: 2 }),
  }),
  payload: fc.constantFrom('full', 'thin'),
  timeout_ms: fc.integer({ min: 1, max: 600_000 }),
  max_in_flight: fc.integer({ min: 1, max: 10_000 }),
  signature_header: fc.option(fc.constantFrom('x-signature', 'stripe-signature'), { nil: null }),
  secrets: fc.array(
    fc.record({ sealed: fc.string({ unit: 'binary' }), expires_at: fc.option(fc.nat(), { nil: null }) }),
    { maxLength: 3 },
  ),
  headers_sealed: fc.option(fc.string(), { nil: null }),
  enabled: fc.boolean(),
  paused: fc.boolean(),
  breaker: fc.constantFrom('closed', 'open', 'half_open'),
  breaker_mode: fc.constantFrom('automatic', 'manual', 'discard'),
  max_per_second: fc.option(fc.double({ min: 0.001, max: 1_000_000, noNaN: true }), { nil: null }),
  max_parked_age_s: fc.nat(),
  max_parked: fc.nat(),
};
const records = (ids: readonly string[]) =>
  fc.record({ ...fields, id: fc.constantFrom(...ids) }).map((over) => ({ ...ENDPOINT, ...over }) as EndpointRecord);

describe('PackedEndpoints', () => {
  it('given any record that readers take, then it comes back as it was, but for its event types', () => {
    fc.assert(
      fc.property(fc.array(records(['ep_1', 'ep_2', 'ep_3']), { maxLength: 10 }), (all) => {
        const packed = new PackedEndpoints();
        const latest = new Map<string, EndpointRecord>();
        for (const record of all) {
          const read = readEndpoint(record.id, Buffer.from(JSON.stringify(record)));
          packed.set(read);
          latest.set(record.id, read);
        }
        expect(packed.size).toBe(latest.size);
        for (const [id, { event_types: _types, ...record }] of latest) {
          expect(packed.get(id)).toEqual(record);
          expect(packed.versionOf(id)).toBe(record.version);
        }
      }),
    );
  });

  it('given every field of the schema, then the property above varies it', () => {
    const varied = new Set([...Object.keys(fields), 'v', 'id', 'event_types']);
    expect(Object.keys(endpointRecordSchema.shape).filter((name) => !varied.has(name))).toEqual([]);
  });

  it('given an endpoint that is deleted or unknown, then it is not there', () => {
    const packed = new PackedEndpoints();
    packed.set(ENDPOINT);
    packed.delete(ENDPOINT.id);
    packed.delete('ep_unknown');
    expect({ found: packed.get(ENDPOINT.id), version: packed.versionOf(ENDPOINT.id), size: packed.size }).toEqual({
      found: undefined,
      version: 0,
      size: 0,
    });
  });
});
