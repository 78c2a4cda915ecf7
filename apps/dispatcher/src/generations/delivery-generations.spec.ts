import { describe, expect, it, jest } from '@jest/globals';
import { Positions } from '#common/domain/positions.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { CarryOver } from './carry-over.js';
import { DeliveryGenerations } from './delivery-generations.js';

const TIER = 'retry-64s';

/** Ids of the logs that Kafka has, and those that the periodic check of the topics has seen. */
function setUp(logs: Record<string, string>, seen: Record<string, string>) {
  const ofAll = async (topics: readonly string[]) =>
    new Map(topics.map((topic) => [topic, { topicId: logs[topic] ?? topic, partitions: 1, number: 0 }]));
  const start = jest.fn();
  const carryOver = { start, carriedOver: async () => undefined } as unknown as CarryOver;
  const watched = new DeliveryGenerations(
    { of: async () => 0, ofAll } as never,
    carryOver,
    { of: async (_log, generation) => new Positions(generation) },
    {
      idOf: (topic) => seen[topic] ?? topic,
    },
  );
  return { watched, start };
}

describe('DeliveryGenerations', () => {
  it('given a tier with another log than the registered one, then the new log is registered, and carrying over starts once', async () => {
    const logs: Record<string, string> = {};
    const seen: Record<string, string> = {};
    const { watched, start } = setUp(logs, seen);
    await watched.present();
    await watched.checkTiers();
    expect(start).not.toHaveBeenCalled();

    logs[TIER] = 'another';
    seen[TIER] = 'another';
    await watched.checkTiers();
    await watched.checkTiers();

    expect(start).toHaveBeenCalledTimes(1);
  });

  it.each([
    { given: 'another log of deliveries', seen: { [DELIVERIES_TOPIC]: 'another' } },
    { given: 'the same logs', seen: {} },
  ])('given $given, then the watch of the tiers does nothing', async ({ seen }) => {
    const { watched, start } = setUp({}, seen);
    await watched.present();
    await watched.checkTiers();
    expect(start).not.toHaveBeenCalled();
  });

  it('given no partition yet, then nothing is compared', async () => {
    const { watched, start } = setUp({}, { [TIER]: 'another' });
    await watched.checkTiers();
    expect(start).not.toHaveBeenCalled();
  });
});
