import type { CommitSample, CommittedPosition } from './evidence.js';

/** Whether a commit says that the record at this offset needs no more work. */
export function isFinished({ offset, finishedAbove }: CommittedPosition, record: number): boolean {
  return record < offset || finishedAbove.includes(record);
}

/** What was last known to be committed for a partition. */
export function lastPosition(
  commits: readonly CommitSample[],
  topic: string,
  partition: number,
): CommittedPosition | undefined {
  for (const { positions } of commits.toReversed()) {
    const found = positions.find((position) => position.topic === topic && position.partition === partition);
    if (found) return found;
  }
  return undefined;
}
