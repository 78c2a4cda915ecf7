import { requestedReplays } from './metrics.js';

describe('counters of replays', () => {
  it('given nothing happened yet, then replays by kind are 0, not missing', async () => {
    expect((await requestedReplays.get()).values.map(({ value }) => value)).toEqual([0, 0, 0, 0]);
  });
});
