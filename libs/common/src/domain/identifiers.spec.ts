import { contentEventId, deliveryIdOf, EVENT_ID_PATTERN, TENANT_PATTERN } from './identifiers.js';

describe('event ids', () => {
  it.each(['a', 'evt_1', 'a b', '~!"#$%', 'x'.repeat(256)])('take %j', (id) => {
    expect(EVENT_ID_PATTERN.test(id)).toBe(true);
  });

  it.each(['', ' ', ' a', 'a ', 'a\n', 'a\tb', 'ä', '\u007f', 'x'.repeat(257)])('refuse %j', (id) => {
    expect(EVENT_ID_PATTERN.test(id)).toBe(false);
  });
});

describe('tenants', () => {
  it.each(['default', 'acme.io', 'A_1-b'])('take %j', (tenant) => {
    expect(TENANT_PATTERN.test(tenant)).toBe(true);
  });

  it.each(['', 'a b', 'a\n', 'a/b', 'a|b', 'x'.repeat(65)])('refuse %j', (tenant) => {
    expect(TENANT_PATTERN.test(tenant)).toBe(false);
  });
});

describe('deliveryIdOf', () => {
  it('given the same event and endpoint, then it is the same, and else another', () => {
    const id = deliveryIdOf('acme', 'evt_1', 'ep_1');
    expect(id).toMatch(/^dlv_[A-Za-z0-9_-]{22}$/);
    expect(deliveryIdOf('acme', 'evt_1', 'ep_1')).toBe(id);
    const others = [
      deliveryIdOf('b', 'evt_1', 'ep_1'),
      deliveryIdOf('acme', 'evt_2', 'ep_1'),
      deliveryIdOf('acme', 'evt_1', 'ep_2'),
    ];
    expect(new Set([id, ...others]).size).toBe(4);
  });
});

describe('contentEventId', () => {
  it('given the fields, then it is the SHA-256 of type:resource_id:occurred_at', () => {
    const event = { type: 'invoice.paid', resourceId: 'inv_1', occurredAt: '2026-01-01T00:00:00Z' };
    expect(contentEventId(event)).toBe('ea6f5a03741f7e6867c51f890b69441815ec12f6a68df8550210584697ca2aab');
  });
});
