import { named } from './named.js';

describe('named', () => {
  it('inherits no member', () => {
    const values = named<number>();
    const inherited: string[] = [];
    for (const name in values) inherited.push(name);
    expect(['constructor', '__proto__', 'toString'].map((name) => values[name]).concat(inherited.length)).toEqual([
      undefined,
      undefined,
      undefined,
      0,
    ]);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', ''])('keeps a value under the name %j', (name) => {
    const values = named<number>();
    values[name] = 1;
    expect([Object.keys(values), values[name], { ...values }[name]]).toEqual([[name], 1, 1]);
    expect(named<number>()[name]).toBeUndefined();
  });
});
