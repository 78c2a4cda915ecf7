import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { ENDPOINT } from '../../../../../test/support/endpoint-record.js';
import { Subscriptions } from './subscriptions.js';

const endpoint = (id: string, over: Partial<EndpointRecord> = {}): EndpointRecord => ({ ...ENDPOINT, id, ...over });

function of(...endpoints: EndpointRecord[]): Subscriptions {
  const subscriptions = new Subscriptions();
  for (const each of endpoints) subscriptions.put(each);
  return subscriptions;
}

const ids = (subscriptions: Subscriptions, type: string, tenant = 'acme') =>
  subscriptions.matching(tenant, type).map(({ id }) => id);

describe('Subscriptions', () => {
  it('given several subscriptions, then each matching endpoint is found once', () => {
    const subscriptions = of(
      endpoint('all'),
      endpoint('invoices', { event_types: ['invoice.*', 'invoice.paid'] }),
      endpoint('paid', { event_types: ['order.made', 'invoice.paid'] }),
    );
    expect(ids(subscriptions, 'invoice.paid')).toEqual(['all', 'invoices', 'paid']);
    expect(ids(subscriptions, 'invoice.line.added')).toEqual(['all', 'invoices']);
    expect(ids(subscriptions, 'invoice')).toEqual(['all']);
  });

  it('given an operational event, then endpoints that name its type take it, except the endpoint of the event', () => {
    const subscriptions = of(
      endpoint('all'),
      endpoint('by-name', { event_types: ['*', 'endpoint.disabled'] }),
      endpoint('by-family', { event_types: ['endpoint.*'] }),
      endpoint('about', { event_types: ['endpoint.*'] }),
      endpoint('other-family', { event_types: ['delivery.*'] }),
      endpoint('disabled', { event_types: ['endpoint.*'], enabled: false }),
      endpoint('other-tenant', { event_types: ['endpoint.*'], tenant: 'other' }),
    );
    const found = subscriptions.matchingOperational('acme', 'endpoint.disabled', 'about');
    expect(found.map(({ id }) => id)).toEqual(['by-name', 'by-family']);
    expect(subscriptions.matchingOperational('nobody', 'endpoint.disabled', 'about')).toEqual([]);
  });

  it('given another tenant, then no endpoint of this tenant is found', () => {
    expect(ids(of(endpoint('all')), 'a', 'other')).toEqual([]);
  });

  it('given a disabled endpoint, then it takes no event', () => {
    expect(ids(of(endpoint('off', { enabled: false })), 'a')).toEqual([]);
  });

  it('given a change after a lookup, then the next lookup has the change', () => {
    const subscriptions = of(endpoint('a'));
    expect(ids(subscriptions, 'x')).toEqual(['a']);
    subscriptions.put(endpoint('b'));
    expect(ids(subscriptions, 'x')).toEqual(['a', 'b']);
    subscriptions.put(endpoint('a', { version: 2, event_types: ['y'] }));
    expect(ids(subscriptions, 'x')).toEqual(['b']);
    subscriptions.remove('b');
    expect(ids(subscriptions, 'x')).toEqual([]);
    expect(subscriptions.size).toBe(1);
  });

  it('given an endpoint that moves to another tenant, then only the new tenant’s events reach it', () => {
    const subscriptions = of(endpoint('a'), endpoint('a', { version: 2, tenant: 'other' }));
    expect(ids(subscriptions, 'x')).toEqual([]);
    expect(ids(subscriptions, 'x', 'other')).toEqual(['a']);
  });

  it('given an older version after a newer one, then the newer one stays', () => {
    const subscriptions = of(endpoint('a', { version: 2 }), endpoint('a', { version: 1, enabled: false }));
    expect(ids(subscriptions, 'x')).toEqual(['a']);
  });

  it('given a removed endpoint and removals of unknown ones, then no endpoint is left', () => {
    const subscriptions = of(endpoint('a'));
    subscriptions.remove('a');
    subscriptions.remove('never');
    expect(subscriptions.size).toBe(0);
    expect(ids(subscriptions, 'x')).toEqual([]);
  });

  it('given a deleted endpoint, when a stale record of it arrives, then the endpoint stays deleted', () => {
    const subscriptions = of(endpoint('gone', { version: 3 }));
    subscriptions.remove('gone', 4);
    subscriptions.put(endpoint('gone', { version: 3 }));
    expect(ids(subscriptions, 'a')).toEqual([]);
  });

  it('given an endpoint that came back after a deletion, when it is removed, then that deletion no longer counts', () => {
    const subscriptions = of();
    subscriptions.remove('back', 3);
    subscriptions.put(endpoint('back', { version: 4 }));
    subscriptions.remove('back');
    subscriptions.put(endpoint('back', { version: 2 }));
    expect(ids(subscriptions, 'a')).toEqual(['back']);
  });

  it('given a tombstone older than the configuration, then the endpoint stays', () => {
    const subscriptions = of(endpoint('kept', { version: 3 }));
    subscriptions.remove('kept', 2);
    expect(ids(subscriptions, 'a')).toEqual(['kept']);
  });
});
