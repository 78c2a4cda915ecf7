import { describe, expect, it } from '@jest/globals';
import type { OwnedPartition } from '../../partition/owned-partition.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import type { TopicState } from '../queries/topic-identities.js';
import { LogWatch, type WatchedConsumer } from './log-watch.js';

const ID = 'AAAAAAAAAAAAAAAAAAAAAA';
const state = (topicId = ID, leader = 1): TopicState => ({ topicId, partitions: 1, leaders: [leader] });

/** A consumer that owns partition 0 of `log`, read up to offset 10 in epoch 4. */
function watched(answers: { states: Record<string, TopicState>; epochEnd?: number | 'silent' }) {
  const steps: string[] = [];
  const log = {
    ...{ topic: 'log', partition: 0, position: 10, leaderEpoch: 4 },
    ...{ identity: { topicId: ID, partitions: 1 }, lost: { aborted: false } },
  };
  const owned = new Map([['p.log/0', log]]);
  const cluster = {
    topicIdentities: async () => new Map(Object.entries(answers.states)),
    epochEnds: async () => new Map(answers.epochEnd === 'silent' ? [] : [['p.log/0', answers.epochEnd]]),
    refreshMetadata: async () => void steps.push('refresh'),
  };
  const consumer = {
    owned: Object.assign(owned, {
      giveUp: () => {
        steps.push('give up');
        log.lost.aborted = true;
        owned.clear();
      },
      takeOver: async () => void steps.push('take over'),
    }),
    committer: { commit: async () => void steps.push('commit') },
    membership: { standing: 'synced', group: { cluster } as unknown as KafkaGroup },
  } as unknown as WatchedConsumer;
  const watch = new LogWatch('p.', ['log'], consumer, () => false);
  return { watch, steps, log: log as unknown as OwnedPartition, answers };
}

describe('a fetch of another leader epoch', () => {
  it.each([
    { given: 'the epoch that was read ends at the position', epochEnd: 10, isContinued: true },
    { given: 'the leader does not know the epoch', epochEnd: undefined, isContinued: true },
    { given: 'the epoch that was read ends before the position', epochEnd: 7, isContinued: false },
  ])('given $given, then it continues: $isContinued', async ({ epochEnd, isContinued }) => {
    const { watch, log, steps } = watched({ states: { 'p.log': state() }, ...(epochEnd && { epochEnd }) });
    expect(await watch.isContinued(log, 5)).toBe(isContinued);
    expect(steps).toEqual(isContinued ? [] : ['commit', 'give up', 'take over']);
  });

  it('given the same epoch, then no broker is asked', async () => {
    const { watch, log } = watched({ states: {} });
    expect(await watch.isContinued(log, 4)).toBe(true);
  });

  it('given a recreated topic, then it is given up and taken over again', async () => {
    const { watch, log, steps } = watched({ states: { 'p.log': state('B'.repeat(22)) } });
    expect(await watch.isContinued(log, 0)).toBe(false);
    expect(steps).toEqual(['commit', 'give up', 'take over']);
  });

  it.each([
    { given: 'no leader', states: { 'p.log': state(ID, -1) } },
    { given: 'no topic', states: {} },
  ])('given $given, then the records are fetched again later', async ({ states }) => {
    const { watch, log, steps } = watched({ states });
    expect(await watch.isContinued(log, 5)).toBe(false);
    expect(steps).toEqual([]);
  });

  it('given a leader that is silent, then the records are fetched again later', async () => {
    const { watch, log, steps } = watched({ states: { 'p.log': state() }, epochEnd: 'silent' });
    expect(await watch.isContinued(log, 5)).toBe(false);
    expect(steps).toEqual([]);
  });
});

describe('a check', () => {
  it('given the same topic, then leaders are asked for at two checks, and no more', async () => {
    const { watch, steps } = watched({ states: { 'p.log': state() } });
    for (let check = 0; check < 4; check++) await watch.check();
    expect(steps.filter((step) => step === 'refresh')).toHaveLength(2);
  });

  it('given another topic, then its log is given up at once', async () => {
    const { watch, steps } = watched({ states: { 'p.log': state('B'.repeat(22)) } });
    await watch.check();
    expect(steps).toEqual(['give up', 'refresh', 'take over']);
  });

  it('given a missing topic, then its log is given up with the second check', async () => {
    const { watch, steps } = watched({ states: {} });
    await watch.check();
    expect(steps).not.toContain('give up');
    await watch.check();
    expect(steps).toContain('give up');
  });

  it('given a leader that is elected, then leaders are asked for again', async () => {
    const { watch, steps, answers } = watched({ states: { 'p.log': state(ID, -1) } });
    await watch.check();
    answers.states = { 'p.log': state(ID, 2) };
    await watch.check();
    expect(steps.filter((step) => step === 'refresh')).toHaveLength(2);
  });
});
