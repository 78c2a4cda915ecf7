import { describe, expect, it } from '@jest/globals';
import { MissingKeys } from './missing-keys.js';

const NONE = { opened: [], missing: [] };

describe('MissingKeys', () => {
  const given = () => new MissingKeys({ has: (id) => id === 'k1' });

  it('given secrets that all open, then nothing is missing', () => {
    const keys = given();
    keys.note('ep_1', { opened: ['k1'], missing: [] });
    expect({ problem: keys.problem(), lacking: keys.lacking(), size: keys.size }).toEqual({
      problem: undefined,
      lacking: [],
      size: 0,
    });
  });

  it('given unknown keys, then each is named with the number of endpoints that need it', () => {
    const keys = given();
    keys.note('ep_1', { opened: ['k1'], missing: ['k3', 'k2'] });
    keys.note('ep_2', { opened: [], missing: ['k2'] });
    expect(keys.lacking()).toEqual(['k2', 'k3']);
    expect(keys.problem()).toBe(
      'SECRET_KEYS does not name the key "k2", which 2 endpoints need; SECRET_KEYS does not name the key "k3", which 1 endpoint needs',
    );
  });

  it('given a key that opens nothing, then it is another one under the same id, and it is lacking', () => {
    const keys = given();
    keys.note('ep_1', { opened: [], missing: ['k1'] });
    expect(keys.lacking()).toEqual(['k1']);
    expect(keys.problem()).toBe('the key "k1" of SECRET_KEYS does not open secrets, which 1 endpoint needs');
  });

  it('given a key that opens others, then a text it does not open is damaged: a problem, but the key is not lacking', () => {
    const keys = given();
    keys.note('ep_1', { opened: [], missing: ['k1'] });
    keys.note('ep_2', { opened: ['k1'], missing: [] });
    expect({ lacking: keys.lacking(), all: keys.keyIds(), size: keys.size }).toEqual({
      lacking: [],
      all: ['k1'],
      size: 1,
    });
  });

  it.each([
    { given: 'sealed under a key that is there', end: (keys: MissingKeys) => keys.note('ep_1', NONE) },
    { given: 'deleted', end: (keys: MissingKeys) => keys.forget('ep_1') },
  ])('given the only endpoint that needs a key is $given, then nothing is missing', ({ end }) => {
    const keys = given();
    keys.note('ep_1', { opened: [], missing: ['k2'] });
    keys.note('ep_1', { opened: [], missing: ['k2'] });
    end(keys);
    expect({ problem: keys.problem(), lacking: keys.lacking() }).toEqual({ problem: undefined, lacking: [] });
  });
});
