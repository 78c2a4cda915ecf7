import type { CommitSample, CommittedPosition } from './evidence.js';

/** Whether a commit marks the offset as finished. */
export function isFinished({ offset, finishedAbove }: CommittedPosition, record: number): boolean {
  return record < offset || finishedAbove.includes(record);
}

/** The last known commit of a partition. */
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
