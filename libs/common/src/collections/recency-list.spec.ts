import { type Listed, RecencyList } from './recency-list.js';

class Item implements Listed<Item> {
  older: Item | undefined;
  newer: Item | undefined;
  constructor(readonly name: string) {}
}

/** Empties the list, oldest first. */
function namesOf(list: RecencyList<Item>): string {
  let names = '';
  for (let item = list.oldest; item !== undefined; item = list.oldest) {
    names += item.name;
    list.delete(item);
  }
  return names;
}

describe('RecencyList', () => {
  it.each([
    ['', 'abcd'],
    ['a', 'bcd'],
    ['b', 'acd'],
    ['d', 'abc'],
    ['ad', 'bc'],
    ['abcd', ''],
  ])('given that %j are deleted, then the others come in the order of their addition', (deleted, rest) => {
    const list = new RecencyList<Item>();
    const items = [...'abcd'].map((name) => new Item(name));
    for (const item of items) list.add(item);
    for (const item of items) if (deleted.includes(item.name)) list.delete(item);
    expect(list.size).toBe(rest.length);
    expect(namesOf(list)).toBe(rest);
    expect([list.size, list.oldest]).toEqual([0, undefined]);
  });

  it('given an item that is deleted and added again, then it is the newest', () => {
    const list = new RecencyList<Item>();
    const [a, b] = [new Item('a'), new Item('b')];
    list.add(a);
    list.add(b);
    list.delete(a);
    list.add(a);
    expect(namesOf(list)).toBe('ba');
  });
});
