import { newId } from './new-id.js';

describe('newId', () => {
  it('given a prefix, then ids differ and say what they are of', () => {
    const ids = Array.from({ length: 1_000 }, () => newId('ep'));
    expect(new Set(ids).size).toBe(1_000);
    expect(ids.every((id) => /^ep_[A-Za-z0-9_-]{22}$/.test(id))).toBe(true);
  });
});
