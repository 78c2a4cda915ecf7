import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Sealer, SealingError, sealingContext } from '#common/security/sealing.js';
import { ENDPOINT } from '../../../../test/support/endpoint-record.js';
import { keyUseOf, unsealed } from './unsealed-endpoint.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('k1');
const NEW = keyText('k2');
const NOW = 1_000_000;
const context = (purpose: 'secret' | 'headers') => sealingContext(ENDPOINT.tenant, ENDPOINT.id, purpose);
const secret = (keys: string, expires_at: number | null = null) => ({
  sealed: new Sealer(keys).seal(randomBytes(32), context('secret')),
  expires_at,
});
const headers = (keys: string) => new Sealer(keys).seal(Buffer.from('{"x-own":"1"}'), context('headers'));

describe('unsealed', () => {
  it('given keys for all, then all secrets sign and the headers are there', () => {
    const record = { ...ENDPOINT, secrets: [secret(NEW), secret(OLD, NOW + 1)], headers_sealed: headers(OLD) };
    const { endpoint, opened } = unsealed(record, new Sealer(`${NEW},${OLD}`), NOW);
    expect(endpoint).toMatchObject({ missingKeys: [], staticHeaders: { 'x-own': '1' } });
    expect({ keys: endpoint.keys.length, opened }).toEqual({ keys: 2, opened: ['k2', 'k1'] });
  });

  it.each([
    { given: 'an unknown key of a secret', record: { secrets: [secret(OLD), secret(NEW, NOW + 1)] } },
    { given: 'an unknown key of the headers', record: { secrets: [secret(OLD)], headers_sealed: headers(NEW) } },
    { given: 'another key under the same id', record: { secrets: [secret(keyText('k2'))] } },
  ])('given $given, then the endpoint is there, and says which key is missing', ({ record }) => {
    const { endpoint } = unsealed({ ...ENDPOINT, ...record }, new Sealer(OLD), NOW);
    expect(endpoint).toMatchObject({ record: { id: ENDPOINT.id }, missingKeys: ['k2'] });
  });

  it('given a secret that has expired, then its key may be gone', () => {
    const record = { ...ENDPOINT, secrets: [secret(OLD), secret(NEW, NOW)] };
    expect(unsealed(record, new Sealer(OLD), NOW).endpoint).toMatchObject({ missingKeys: [], keys: [{}] });
  });

  it('given a text that is no sealed secret, then the record is refused', () => {
    const record = { ...ENDPOINT, secrets: [{ sealed: 'plain', expires_at: null }] };
    expect(() => unsealed(record, new Sealer(OLD), NOW)).toThrow(SealingError);
  });
});

describe('keyUseOf', () => {
  const record = { ...ENDPOINT, secrets: [secret(OLD), secret(NEW), secret(NEW, NOW)], headers_sealed: headers(OLD) };

  it.each([
    { given: 'keys that have opened nothing', keys: `${OLD},${NEW}`, right: [], opened: ['k1', 'k2'], missing: [] },
    { given: 'keys that are right', keys: `${OLD},${NEW}`, right: ['k1', 'k2'], opened: [], missing: [] },
    { given: 'a right key, and no other', keys: OLD, right: ['k1'], opened: [], missing: ['k2'] },
    { given: 'a wrong key', keys: keyText('k1'), right: [], opened: [], missing: ['k1', 'k2'] },
    // Only the first use finds it: no text was opened.
    {
      given: 'a right key, and a text that is damaged',
      keys: keyText('k1'),
      right: ['k1'],
      opened: [],
      missing: ['k2'],
    },
  ])('given $given, then it says which keys opened texts, and which are missing', ({ keys, right, ...use }) => {
    const isRight = (keyId: string) => (right as string[]).includes(keyId);
    const { opened, missing } = use;
    expect(keyUseOf(record, new Sealer(keys), isRight, NOW)).toEqual({ opened, missing });
  });

  it('given a malformed text under any key, then it is an error', () => {
    const malformed = { ...ENDPOINT, secrets: [{ sealed: 'v1:k1:x', expires_at: null }] };
    expect(() => keyUseOf(malformed, new Sealer(OLD), () => true, NOW)).toThrow(SealingError);
  });
});
