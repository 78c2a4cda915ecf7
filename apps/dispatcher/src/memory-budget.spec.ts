import { afterEach, describe, expect, it } from '@jest/globals';
import { register } from 'prom-client';
import type { Delivery } from './delivery.js';
import { MemoryBudget } from './memory-budget.js';

afterEach(() => register.clear());

describe('MemoryBudget', () => {
  it.each([
    { bytes: 500, places: 1 },
    { bytes: 19_000, places: 1 },
    { bytes: 200_000, places: 10 },
  ])(
    'given a body of $bytes bytes, then it takes $places of the 400 places of a quarter of 32 MiB',
    ({ bytes, places }) => {
      const memory = new MemoryBudget({ endpointQueue: 400, slowAfterMs: 1, bytes: 32 * 1_048_576 });

      expect(memory.placesOf({ body: Buffer.alloc(bytes) } as Delivery)).toBe(places);
    },
  );
});
