import fc from 'fast-check';
import type { ConfigurationRecord } from '#common/kafka/configuration-table.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { TopicEntries } from './topic-entries.js';

const change = (version: number, sequence = version) => ({ sequence, id: `id-${sequence}`, version });
const live = (version: number, over: Partial<ConfigurationRecord> = {}): ConfigurationRecord => ({
  key: 'k',
  value: Buffer.from('{}'),
  change: change(version),
  isSigned: true,
  ...over,
});
const gone = (version: number | undefined): ConfigurationRecord => ({
  key: 'k',
  value: null,
  change: version === undefined ? undefined : change(version),
  isSigned: version !== undefined,
});

describe('TopicEntries', () => {
  it('given an older record after a newer one, then the newer one counts, and compaction would lose it', () => {
    const entries = new TopicEntries();
    expect(entries.take(live(2), 2)).toBe(true);
    expect(entries.take(live(1), 1)).toBe(false);
    expect(entries.get('k')).toMatchObject({ version: 2, isLive: true, isShadowed: true });
    entries.take(live(2), 2);
    expect(entries.get('k')).toMatchObject({ version: 2, isShadowed: false });
  });

  it('given a record older than the deletion, then the key stays deleted', () => {
    const entries = new TopicEntries();
    entries.take(live(2), 2);
    entries.take(gone(3), undefined);
    entries.take(live(2), 2);
    expect(entries.get('k')).toMatchObject({ version: 3, isLive: false, isShadowed: true });
  });

  it('given a tombstone of an earlier release, then the key is deleted at the version it had', () => {
    const entries = new TopicEntries();
    entries.take(live(2), 2);
    entries.take(gone(undefined), undefined);
    expect(entries.get('k')).toMatchObject({ version: 2, isLive: false, isNumbered: false });
  });

  it('given an ignored record, then the good one stays; without a good one, the key is known as strange', () => {
    const entries = new TopicEntries();
    entries.take(live(2), 2);
    entries.shadow('k');
    entries.shadow('junk');
    expect(entries.get('k')).toMatchObject({ version: 2, isLive: true, isShadowed: true });
    expect(entries.get('junk')).toMatchObject({ version: 0, isLive: false, isShadowed: true });
  });

  it('given more strange keys than are remembered, then the rest is left out', () => {
    const entries = new TopicEntries();
    for (let index = 0; index < 20_000; index++) entries.shadow(`strange-${index}`);
    expect([...entries.keys()]).toHaveLength(10_000);
  });

  it('given changes in any order, then the highest is the one with the highest number, those of older records left out', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sequences) => {
        const entries = new TopicEntries();
        for (const sequence of sequences) entries.noteChange(change(1, sequence));
        expect(entries.highest?.sequence).toBe(Math.max(...sequences));
      }),
    );
    const unnumbered = new TopicEntries();
    unnumbered.take(live(1, { change: { sequence: 0, id: '', version: 1 } }), 1);
    expect(unnumbered.highest).toBeUndefined();
  });

  it('given any record, then its entry has all that was taken', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_VERSION }), fc.boolean(), fc.boolean(), fc.boolean(), (...taken) => {
        const [version, isLive, isNumbered, isSigned] = taken;
        const entries = new TopicEntries();
        const value = isLive ? Buffer.from('{}') : null;
        entries.take({ key: 'k', value, change: isNumbered ? change(version) : undefined, isSigned }, version);
        expect(entries.get('k')).toEqual({ version, isLive, isNumbered, isSigned, isShadowed: false });
        entries.shadow('k');
        expect(entries.get('k')).toEqual({ version, isLive, isNumbered, isSigned, isShadowed: true });
      }),
    );
  });
});
