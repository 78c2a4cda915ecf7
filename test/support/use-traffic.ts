import { afterEach, expect } from '@jest/globals';
import type { Cluster } from './cluster.js';
import { OrderedTraffic, type TrafficOptions } from './ordered-traffic.js';

/**
 * Traffic for the tests of a file. Each traffic is closed after its test.
 *
 * @param api returns the system's API, within tests
 */
export function useTraffic(api: () => Pick<Cluster, 'call'>): (options: TrafficOptions) => Promise<OrderedTraffic> {
  const open: OrderedTraffic[] = [];
  afterEach(() => {
    for (const traffic of open.splice(0)) traffic.close();
  });
  return async (options) => {
    const traffic = await OrderedTraffic.start(api(), options);
    open.push(traffic);
    return traffic;
  };
}

/** Expects that all published events were accepted, those of each resource in order. */
export function expectOrder({ accepted, disorder, published }: OrderedTraffic): void {
  expect({ accepted: accepted.size, disorder }).toEqual({ accepted: published, disorder: 0 });
}
