import { ENDPOINT } from '../../../../test/support/endpoint-record.js';
import { ApiKeyTable } from '../api-keys/api-key-table.js';
import { readApiKey } from './api-key-record.js';
import { readEndpoint } from './endpoint-record.js';

const API_KEY = {
  v: 1,
  id: 'k1',
  version: 3,
  hash: 'a'.repeat(64),
  tenant: 'acme',
  scopes: ['read'],
  expires_at: null,
};
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const endpoint = (over: object) => () => readEndpoint('ep_1', bytes({ ...ENDPOINT, ...over }));
const apiKey = (over: object) => () => readApiKey('k1', bytes({ ...API_KEY, ...over }));

describe('configuration records', () => {
  it('given records as control writes them, then they are read', () => {
    expect(endpoint({})()).toEqual(ENDPOINT);
    expect(apiKey({})()).toEqual(API_KEY);
  });

  it.each([
    ['an id that is not its key', endpoint({ id: 'ep_2' })],
    ['an id that separates lists', endpoint({ id: 'ep,1' })],
    ['a version that none could follow', endpoint({ version: 1e300 })],
    ['half a version', endpoint({ version: 1.5 })],
    ['no room for an attempt', endpoint({ max_in_flight: 0 })],
    ['a rate that never comes', endpoint({ max_per_second: 0 })],
    ['a time-out beyond what a timer takes', endpoint({ timeout_ms: 2 ** 31 })],
    ['a tenant with a NUL', endpoint({ tenant: 'a\0' })],
    ['a header name with a line feed', endpoint({ signature_header: 'a\nb' })],
    [
      'more delays than a call takes arguments',
      endpoint({ retry_policy: { ...ENDPOINT.retry_policy, delaysMs: Array(1_001).fill(1) } }),
    ],
    ['a quarter of a megabyte', endpoint({ url: 'x'.repeat(300_000) })],
    ['junk', () => readEndpoint('ep_1', Buffer.from('junk'))],
    ['null', () => readEndpoint('ep_1', Buffer.from('null'))],
    ['no bytes', () => readEndpoint('ep_1', Buffer.alloc(0))],
    ['an API key under another key', apiKey({ id: 'k2' })],
    ['a hash that is none', apiKey({ hash: 'a' })],
    ['a scope nobody knows', apiKey({ scopes: ['god'] })],
    ['an end after the year 9999', apiKey({ expires_at: 1e300 })],
  ])('given %s, then it is refused, with a short reason', (_, read) => {
    expect(read).toThrow(/^.{1,500}$/s);
  });

  it('given a bad record of a known API key, then the key stays as it was', () => {
    const table = new ApiKeyTable();
    table.apply('k1', bytes(API_KEY));
    expect(() => table.apply('k1', Buffer.from('junk'))).toThrow();
    expect(table.size).toBe(1);
  });
});
