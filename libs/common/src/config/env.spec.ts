import { z } from 'zod';
import { addressEnv, InvalidConfigError, loadConfig, requireTrustKeys, signingEnv, trustEnv } from './env.js';

describe('addressEnv', () => {
  const load = (source: Record<string, string>) => loadConfig(z.object(addressEnv), source);

  it('given nothing, then only the public internet over https is allowed', () => {
    expect(load({})).toEqual({ ALLOW_HTTP: false, ALLOWED_ADDRESSES: [] });
  });

  it('given ranges, then they are listed', () => {
    expect(load({ ALLOW_HTTP: 'true', ALLOWED_ADDRESSES: '127.0.0.0/8, ::1/128' })).toEqual({
      ALLOW_HTTP: true,
      ALLOWED_ADDRESSES: ['127.0.0.0/8', '::1/128'],
    });
  });

  it.each(['localhost', '127.0.0.1', '10.0.0.0/8,nonsense'])('given %s, then it is refused by name', (ranges) => {
    expect(() => load({ ALLOWED_ADDRESSES: ranges })).toThrow(InvalidConfigError);
    expect(() => load({ ALLOWED_ADDRESSES: ranges })).toThrow(/ALLOWED_ADDRESSES/);
  });
});

describe('trustEnv', () => {
  const schema = z.object({ ...trustEnv, ...signingEnv }).superRefine(requireTrustKeys);
  const load = (source: Record<string, string>) => loadConfig(schema, source);
  const key = `k1:${Buffer.alloc(32, 7).toString('base64')}`;

  it('given required signatures and no key, then it is refused by name', () => {
    expect(() => load({ REQUIRE_SIGNED_RECORDS: 'true' })).toThrow(/REQUIRE_SIGNED_RECORDS: needs CONFIG_PUBLIC_KEYS/);
    expect(load({ REQUIRE_SIGNED_RECORDS: 'true', CONFIG_SIGNING_KEY: key })).toMatchObject({
      CONFIG_SIGNING_KEY: key,
    });
  });

  it('given a key that is none, then it is refused by name', () => {
    expect(() => load({ CONFIG_PUBLIC_KEYS: 'k1:AAAA' })).toThrow(/CONFIG_PUBLIC_KEYS/);
    expect(() => load({ CONFIG_SIGNING_KEY: 'nonsense' })).toThrow(/CONFIG_SIGNING_KEY/);
  });
});
