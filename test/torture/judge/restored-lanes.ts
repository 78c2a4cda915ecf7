import type { Duty } from './case.js';
import type { CommittedPosition, Evidence } from './evidence.js';
import { isFinished } from './positions.js';

/**
 * Which deliveries of lanes that `npm run rebuild` listed had waited in the database that was lost: their records were
 * finished, and they had no end. They keep their order among themselves, and so do the others of the lane.
 *
 * @param endOf when a delivery was over, ms since the epoch
 */
export function broughtBack(
  { restored, commits }: Evidence,
  endOf: (duty: Duty) => number | undefined,
): (duty: Duty) => boolean {
  if (restored === undefined) return () => false;
  const positions = new Map<string, CommittedPosition>();
  for (const sample of commits) {
    if (sample.endedAt > restored.at) break;
    for (const position of sample.positions) positions.set(`${position.topic}/${position.partition}`, position);
  }
  return (duty) => {
    if (!restored.overtaken.has(duty.lane) || (endOf(duty) ?? Number.POSITIVE_INFINITY) < restored.at) return false;
    const first = duty.records.find(({ topic }) => topic === 'deliveries');
    const position = positions.get(`deliveries/${first?.partition}`);
    return first !== undefined && position !== undefined && isFinished(position, first.offset);
  };
}
