import fc from 'fast-check';
import type { ApiKeyRecord } from '../records/api-key-record.js';
import { generateApiKey, hashApiKey, hasScope, matchesApiKey, parseApiKey } from './api-key.js';
import { ApiKeyTable } from './api-key-table.js';

const NOW = 1_700_000_000_000;

function record(over: Partial<ApiKeyRecord> & Pick<ApiKeyRecord, 'id' | 'hash'>): Buffer {
  const whole: ApiKeyRecord = { v: 1, version: 1, tenant: 'acme', scopes: ['read'], expires_at: null, ...over };
  return Buffer.from(JSON.stringify(whole));
}

describe('API keys', () => {
  it('given a new key, then it is well formed and matches its hash only', () => {
    const key = generateApiKey();
    expect(key.text).toMatch(/^ph_[0-9a-z]{8}_[A-Za-z0-9_-]{43}_[0-9a-f]{6}$/);
    expect(parseApiKey(key.text)).toEqual({ id: key.id });
    expect(matchesApiKey(key.text, key.hash)).toBe(true);
    expect(matchesApiKey(generateApiKey().text, key.hash)).toBe(false);
  });

  it('given any one character changed, then it is no key, or does not match', () => {
    const key = generateApiKey();
    fc.assert(
      fc.property(fc.nat(key.text.length - 1), fc.constantFrom(...'abc019_-Z'), (at, character) => {
        fc.pre(key.text[at] !== character);
        const changed = key.text.slice(0, at) + character + key.text.slice(at + 1);
        expect(parseApiKey(changed) !== undefined && matchesApiKey(changed, key.hash)).toBe(false);
      }),
    );
  });

  it('given any text, then parsing it never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => parseApiKey(text) === undefined));
  });

  it('given a stored hash that is no hash, then nothing matches it', () => {
    expect(matchesApiKey(generateApiKey().text, '')).toBe(false);
  });

  it('given an admin scope, then every scope is held', () => {
    expect(hasScope({ id: 'k', tenant: null, scopes: ['admin'] }, 'write')).toBe(true);
    expect(hasScope({ id: 'k', tenant: null, scopes: ['read'] }, 'write')).toBe(false);
  });
});

describe('ApiKeyTable', () => {
  it('given a known key, then it says who asks', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    table.apply(key.id, record(key));
    expect(table.authenticate(key.text, NOW)).toEqual({ id: key.id, tenant: 'acme', scopes: ['read'] });
  });

  it('given another secret under a known id, then nobody asks', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    table.apply(key.id, record({ id: key.id, hash: hashApiKey('something else') }));
    expect(table.authenticate(key.text, NOW)).toBeUndefined();
  });

  it('given an unknown or a removed key, then nobody asks', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    expect(table.authenticate(key.text, NOW)).toBeUndefined();
    table.apply(key.id, record(key));
    table.apply(key.id, null);
    expect(table.authenticate(key.text, NOW)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it('given a key that expires now, then it is not taken any more', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    table.apply(key.id, record({ ...key, expires_at: NOW }));
    expect(table.authenticate(key.text, NOW - 1)).toBeDefined();
    expect(table.authenticate(key.text, NOW)).toBeUndefined();
  });

  it('given an older version after a newer one, then the newer one stays', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    table.apply(key.id, record({ ...key, version: 2, scopes: ['write'] }));
    table.apply(key.id, record({ ...key, version: 1, scopes: ['read'] }));
    expect(table.authenticate(key.text, NOW)?.scopes).toEqual(['write']);
  });

  it('given a revoked key, when an older record of it comes again, then it stays revoked', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    table.apply(key.id, record({ ...key, version: 7 }));
    table.apply(key.id, null, 8);
    table.apply(key.id, record({ ...key, version: 7 }));
    expect(table.authenticate(key.text, NOW)).toBeUndefined();
    table.apply(key.id, record({ ...key, version: 9 }));
    expect(table.authenticate(key.text, NOW)).toBeDefined();
  });

  it('given an older tombstone, then the newer record stays', () => {
    const key = generateApiKey();
    const table = new ApiKeyTable();
    table.apply(key.id, record({ ...key, version: 7 }));
    table.apply(key.id, null, 6);
    expect(table.authenticate(key.text, NOW)).toBeDefined();
  });

  it("given another key's record under this id, then it throws", () => {
    const key = generateApiKey();
    expect(() => new ApiKeyTable().apply('other', record(key))).toThrow();
  });

  it('given something that is no record, then it throws', () => {
    expect(() => new ApiKeyTable().apply('k', Buffer.from('{}'))).toThrow();
  });
});
