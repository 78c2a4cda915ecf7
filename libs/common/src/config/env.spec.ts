import { z } from 'zod';
import { addressEnv, InvalidConfigError, loadConfig } from './env.js';

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
