import { encodeCommit } from './commit-metadata.js';
import { encodeFinished } from './finished-runs.js';
import { type LogNow, startOffset } from './start-offset.js';

const SAME = 'AAAAAAAAAAAAAAAAAAAAAA';
const OTHER = 'BBBBBBBBBBBBBBBBBBBBBB';
const NOW: LogNow = { topicId: SAME, low: 10, high: 100, epochEnd: undefined, evidence: undefined };

const commit = (offset: number, finished: readonly number[] = [], topicId: string | undefined = SAME) => ({
  offset,
  metadata: encodeCommit({ topicId, leaderEpoch: 4, evidence: undefined }, offset, finished),
});
const evidence = { offset: 40, timestamp: 1_000 };
const commitWithoutId = (offset: number) => ({
  offset,
  metadata: encodeCommit({ topicId: undefined, leaderEpoch: undefined, evidence }, offset, []),
});
const start = (offset: number, rest: object = {}) => ({
  ...{ offset, finishedAbove: [], lostRecords: 0, change: undefined },
  ...rest,
});

describe('where reading begins', () => {
  it.each([
    { given: 'no commit', committed: { offset: -1, metadata: null }, log: NOW, expected: start(10) },
    {
      given: 'a commit within its log',
      committed: commit(50, [52]),
      log: NOW,
      expected: start(50, { finishedAbove: [52] }),
    },
    { given: 'a commit at the end of its log', committed: commit(100), log: NOW, expected: start(100) },
    {
      given: 'a commit that retention overtook',
      committed: commit(5, [7, 11]),
      log: NOW,
      expected: start(10, { finishedAbove: [11], lostRecords: 4 }),
    },
    {
      given: 'a commit of another log, within this one',
      committed: commit(50, [52], OTHER),
      log: NOW,
      expected: start(10, { change: 'replaced' }),
    },
    {
      given: 'a commit of another log, beyond this one',
      committed: commit(500, [], OTHER),
      log: NOW,
      expected: start(10, { change: 'replaced' }),
    },
    {
      given: 'a lost tail',
      committed: commit(150, [152]),
      log: NOW,
      expected: start(100, { change: 'truncated' }),
    },
    {
      given: 'a lost tail, the epoch of which ends with the log',
      committed: commit(150),
      log: { ...NOW, epochEnd: 100 },
      expected: start(100, { change: 'truncated' }),
    },
    {
      given: 'a lost tail that has grown again past the commit',
      committed: commit(50, [52]),
      log: { ...NOW, epochEnd: 30 },
      expected: start(30, { change: 'truncated' }),
    },
    {
      given: 'a lost tail that has grown again up to the commit',
      committed: commit(100),
      log: { ...NOW, epochEnd: 60 },
      expected: start(60, { change: 'truncated' }),
    },
    {
      given: 'a tail that was lost behind the commit',
      committed: commit(50, [52, 60, 61]),
      log: { ...NOW, epochEnd: 60 },
      expected: start(50, { finishedAbove: [52] }),
    },
    {
      given: 'a lost tail, the place of which retention overtook',
      committed: commit(50),
      log: { ...NOW, epochEnd: 4 },
      expected: start(10, { lostRecords: 6, change: 'truncated' }),
    },
    {
      given: 'a new leader that lost nothing',
      committed: commit(50, [52]),
      log: { ...NOW, epochEnd: 53 },
      expected: start(50, { finishedAbove: [52] }),
    },
    {
      given: 'a commit of version 1 within the log',
      committed: { offset: 50, metadata: encodeFinished(50, [52]) },
      log: NOW,
      expected: start(50, { finishedAbove: [52] }),
    },
    {
      given: 'a commit of version 1 after this process read another log',
      committed: { offset: 50, metadata: encodeFinished(50, [52]) },
      log: { ...NOW, formerTopicId: OTHER },
      expected: start(10, { change: 'replaced' }),
    },
    {
      given: 'no commit after this process read another log',
      committed: { offset: -1, metadata: null },
      log: { ...NOW, formerTopicId: OTHER },
      expected: start(10, { change: 'replaced' }),
    },
    {
      given: 'a commit of version 1 beyond the log',
      committed: { offset: 101, metadata: '' },
      log: NOW,
      expected: start(10, { change: 'replaced' }),
    },
  ])('given $given', ({ committed, log, expected }) => {
    const { extent: _extent, ...found } = startOffset(committed, log);
    expect(found).toEqual(expected);
  });

  const withoutIds: LogNow = { ...NOW, topicId: undefined };
  it.each([
    {
      given: 'the evidence is still there',
      log: { ...withoutIds, evidence: { isFound: true } as const },
      at: 50,
      expected: start(50),
    },
    {
      given: 'the evidence is still there and the tail is lost',
      log: { ...withoutIds, evidence: { isFound: true } as const },
      at: 150,
      expected: start(100, { change: 'truncated' }),
    },
    {
      given: 'another log took its place',
      log: { ...withoutIds, evidence: { isFound: false, resumeAt: 10 } as const },
      at: 50,
      expected: start(10, { change: 'truncated' }),
    },
    { given: 'the evidence was not looked for', log: withoutIds, at: 50, expected: start(50) },
  ])('given a broker without topic ids, when $given', ({ log, at, expected }) => {
    const { extent: _extent, ...found } = startOffset(commitWithoutId(at), log);
    expect(found).toEqual(expected);
  });
});

describe('how far the log has what was read', () => {
  it.each([
    { given: 'a commit at its end', committed: commit(100), log: NOW, sameUpTo: 100, isTailLost: false },
    { given: 'no commit', committed: { offset: -1, metadata: null }, log: NOW, sameUpTo: 100, isTailLost: false },
    { given: 'a commit beyond its end', committed: commit(150), log: NOW, sameUpTo: 100, isTailLost: true },
    {
      given: 'a commit that the log grew past again',
      committed: commit(50),
      log: { ...NOW, epochEnd: 30 },
      ...{ sameUpTo: 30, isTailLost: true },
    },
    {
      given: 'an unfinished record before the lost tail',
      committed: commit(50, [52, 60]),
      log: { ...NOW, epochEnd: 60 },
      ...{ sameUpTo: 60, isTailLost: true },
    },
    {
      given: 'a new leader that lost nothing',
      committed: commit(50, [52]),
      log: { ...NOW, epochEnd: 53 },
      ...{ sameUpTo: 53, isTailLost: false },
    },
    { given: 'a commit of another log', committed: commit(50, [], OTHER), log: NOW, sameUpTo: 10, isTailLost: false },
  ])('given $given, then up to $sameUpTo', ({ committed, log, sameUpTo, isTailLost }) => {
    expect(startOffset(committed, log).extent).toMatchObject({ sameUpTo, isTailLost });
  });
});
