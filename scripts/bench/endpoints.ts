import type { BenchSystem } from './system.ts';

const AT_ONCE = 20;

/** Runs `work` for each item, at most 20 at once, in their order. */
export async function inPortions<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(work))));
  }
  return results;
}

/** Registers endpoints. @param settings of each, as the API takes them @returns their ids */
export function createEndpoints(system: BenchSystem, settings: readonly Record<string, unknown>[]): Promise<string[]> {
  return inPortions(settings, async (endpoint) => {
    const { id } = await system.post<{ id: string }>('control', '/v1/endpoints', endpoint);
    return id;
  });
}
