import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Bag } from '../../libs/common/src/collections/bag.js';
import { SlotMap } from '../../libs/common/src/collections/slot-map.js';

/*
 * Lets 1.3 GB of items come and go, never more than a hundred of 32 KB at a time, and prints how often V8 had to collect its
 * old generation meanwhile, in which none of them has any business.
 *
 * Wants `--max-semi-space-size=16`, as the apps have it.
 */

const HELD = 100;
const ITEMS = 40_000;
const CONTENT_WORDS = 4_000;
/** What was observed is told a little later. */
const TOLD_AFTER_MS = 100;

let majors = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { detail } = /** @type {{ detail?: { kind: number } }} */ (entry);
    if (detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR) majors++;
  }
}).observe({ entryTypes: ['gc'] });

let made = 0;
const item = () => ({ key: `key-${made++}`, bagIndex: 0, content: new Array(CONTENT_WORDS).fill(made) });

/**
 * @param {(one: ReturnType<typeof item>) => unknown} add
 * @param {(one: ReturnType<typeof item>) => unknown} remove
 */
async function majorCollections(add, remove) {
  await delay(TOLD_AFTER_MS);
  const before = majors;
  /** @type {ReturnType<typeof item>[]} */
  const held = [];
  for (let count = 0; count < ITEMS; count++) {
    const [one, gone] = [item(), held[count % HELD]];
    if (gone) remove(gone);
    add(one);
    held[count % HELD] = one;
  }
  await delay(TOLD_AFTER_MS);
  return majors - before;
}

const bag = new Bag();
const slots = new SlotMap();
const set = new Set();
const map = new Map();
const collections = {
  bag: await majorCollections(
    (one) => bag.add(one),
    (one) => bag.delete(one),
  ),
  slotMap: await majorCollections(
    (one) => slots.set(one.key, one),
    (one) => slots.delete(one.key),
  ),
  set: await majorCollections(
    (one) => set.add(one),
    (one) => set.delete(one),
  ),
  map: await majorCollections(
    (one) => map.set(one.key, one),
    (one) => map.delete(one.key),
  ),
};
process.stdout.write(JSON.stringify(collections));
