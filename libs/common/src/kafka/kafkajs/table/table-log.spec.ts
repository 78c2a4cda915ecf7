import { describe, expect, it } from '@jest/globals';
import type { KafkaGroup } from '../patches/group-hooks.js';
import type { TopicState } from '../queries/topic-identities.js';
import { TableLog } from './table-log.js';

const state = (topicId: string, leader = 1): TopicState => ({ topicId, partitions: 1, leaders: [leader] });

/** The log of `p.table`, read up to offset 10 in epoch 4. */
async function joined(answers: { state: TopicState | undefined; epochEnd?: number | 'silent' | undefined }) {
  const replaced: unknown[] = [];
  const log = new TableLog('p.table', (was, is) => {
    replaced.push([was.topicId, is.topicId]);
    log.forget(0);
  });
  const cluster = {
    topicIdentities: async () => new Map(answers.state === undefined ? [] : [['p.table', answers.state]]),
    epochEnds: async () => new Map(answers.epochEnd === 'silent' ? [] : [['p.table/0', answers.epochEnd]]),
    refreshMetadata: async () => undefined,
  };
  log.join({ cluster } as unknown as KafkaGroup);
  await log.check();
  log.noteEpoch(0, 4);
  return { log, replaced };
}

describe('the log of a table', () => {
  it.each([
    { given: 'an epoch that reaches the position', epochEnd: 10, expected: 'continued' },
    { given: 'an epoch that ends before the position', epochEnd: 9, expected: 'truncated' },
    { given: 'an epoch that the leader does not know', epochEnd: undefined, expected: 'continued' },
    { given: 'a leader that does not answer', epochEnd: 'silent' as const, expected: 'unknown' },
  ])('given $given, then a fetch of another epoch is $expected', async ({ epochEnd, expected }) => {
    const { log } = await joined({ state: state('a'), epochEnd });
    expect(await log.compare(0, 10, 5)).toBe(expected);
  });

  it('given a fetch of the same epoch, then no broker is asked', async () => {
    const { log } = await joined({ state: state('a'), epochEnd: 0 });
    expect(await log.compare(0, 10, 4)).toBe('continued');
  });

  it('given a partition without a leader, then the fetch is unknown', async () => {
    const { log } = await joined({ state: state('a', -1), epochEnd: 0 });
    expect(await log.compare(0, 10, 5)).toBe('unknown');
  });

  it('given a topic that was made again, then the check reports it once, and a fetch of it is unknown', async () => {
    const answers = { state: state('a'), epochEnd: 10 };
    const { log, replaced } = await joined(answers);
    answers.state = state('b');
    expect(await log.compare(0, 10, 5)).toBe('unknown');
    await log.check();
    expect(replaced).toEqual([['a', 'b']]);
  });

  it('given a topic that does not exist, then the check fails', async () => {
    const answers: Parameters<typeof joined>[0] = { state: state('a') };
    const { log } = await joined(answers);
    answers.state = undefined;
    await expect(log.check()).rejects.toThrow('p.table does not exist');
  });
});
