import { offsetOf } from '../domain/position.js';
import type { LogBounds } from '../kafka/port/topics.js';
import type { LogEvidence } from '../postgres/log-evidence.js';

/** Clocks of brokers and of PostgreSQL differ by less. */
export const CLOCK_SLACK_MS = 60_000;

/**
 * Whether stored positions can be of this log: each has its record, and that was appended before PostgreSQL stored its
 * position. A log that was made again has no record there yet, or a younger one.
 *
 * @param firstSince by partition, for a time: the first offset of a record of that time or later
 */
export async function fitsLog(
  evidence: readonly LogEvidence[],
  bounds: readonly LogBounds[],
  firstSince: (ms: number) => Promise<ReadonlyMap<number, number>>,
): Promise<boolean> {
  for (const { partition, position, atMs } of evidence) {
    const bound = bounds.find((candidate) => candidate.partition === partition);
    const offset = offsetOf(position);
    if (bound === undefined || offset >= bound.high) return false;
    if (offset < bound.low) continue;
    const younger = (await firstSince(atMs + CLOCK_SLACK_MS)).get(partition) ?? bound.high;
    if (younger <= offset) return false;
  }
  return true;
}
