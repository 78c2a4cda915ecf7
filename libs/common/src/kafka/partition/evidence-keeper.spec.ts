import { describe, expect, it } from '@jest/globals';
import { EvidenceKeeper } from './evidence-keeper.js';

describe('EvidenceKeeper', () => {
  it('given fetches, then the evidence is the last one below the watermark', () => {
    const keeper = new EvidenceKeeper({ offset: 3, timestamp: 30 });
    for (const offset of [9, 19, 29]) keeper.add(offset, offset * 10);

    expect(keeper.below(5)).toEqual({ offset: 3, timestamp: 30 });
    expect(keeper.below(9)).toEqual({ offset: 3, timestamp: 30 });
    expect(keeper.below(25)).toEqual({ offset: 19, timestamp: 190 });
    expect(keeper.below(26)).toEqual({ offset: 19, timestamp: 190 });
    expect(keeper.below(30)).toEqual({ offset: 29, timestamp: 290 });
  });

  it('given a watermark that stands still, then a bounded number is kept', () => {
    const keeper = new EvidenceKeeper(undefined);
    for (let offset = 0; offset < 5_000; offset++) keeper.add(offset, offset);
    expect(keeper.below(0)).toBeUndefined();
    expect(keeper.below(5_000)).toEqual({ offset: 999, timestamp: 999 });
  });
});
