import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Bag } from '#common/collections/bag.js';
import { SlotMap } from '#common/collections/slot-map.js';

/*
 * Adds and removes 1.3 GB of items, at most 100 of 32 KB at a time. Prints the number of V8's collections of the old
 * generation, in which none of these items belongs.
 *
 * Requires `--max-semi-space-size=16`, as the apps.
 */

const HELD = 100;
const ITEMS = 40_000;
const CONTENT_WORDS = 4_000;
/** PerformanceObserver reports a collection with a delay. */
const TOLD_AFTER_MS = 100;

let majors = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { detail } = entry as { detail?: { kind: number } };
    if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) majors++;
  }
}).observe({ entryTypes: ['gc'] });

interface Item {
  key: string;
  bagIndex: number;
  content: number[];
}

let made = 0;
const item = (): Item => ({ key: `key-${made++}`, bagIndex: 0, content: new Array(CONTENT_WORDS).fill(made) });

async function majorCollections(add: (one: Item) => unknown, remove: (one: Item) => unknown) {
  await delay(TOLD_AFTER_MS);
  const before = majors;
  const held: Item[] = [];
  for (let count = 0; count < ITEMS; count++) {
    const [one, gone] = [item(), held[count % HELD]];
    if (gone) remove(gone);
    add(one);
    held[count % HELD] = one;
  }
  await delay(TOLD_AFTER_MS);
  return majors - before;
}

const ofItems = (items: Bag<Item> | Set<Item>) =>
  majorCollections(
    (one) => items.add(one),
    (one) => items.delete(one),
  );

const ofKeys = (byKey: SlotMap<string, Item> | Map<string, Item>) =>
  majorCollections(
    (one) => byKey.set(one.key, one),
    (one) => byKey.delete(one.key),
  );

// All collections are created before use, so that they are in the old generation, as in an app.
const bag = new Bag() as Bag<Item>;
const slotMap = new SlotMap() as SlotMap<string, Item>;
const set = new Set<Item>();
const map = new Map<string, Item>();
const collections = {
  bag: await ofItems(bag),
  slotMap: await ofKeys(slotMap),
  set: await ofItems(set),
  map: await ofKeys(map),
};
process.stdout.write(JSON.stringify(collections));
