import type { CommittedPosition, Evidence } from './evidence.js';
import { isFinished } from './positions.js';

interface RecordedDelivery {
  readonly lane: string;
  readonly records: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[];
}

/**
 * Finds deliveries, in lanes that `npm run rebuild` listed, that waited in the lost database: their records were
 * finished, and they had no end. They keep their order among themselves, and so do the other deliveries of the lane.
 *
 * @param endOf time at which a delivery was over, ms since the epoch
 */
export function broughtBack<Delivery extends RecordedDelivery>(
  { restored, commits }: Evidence,
  endOf: (delivery: Delivery) => number | undefined,
): (delivery: Delivery) => boolean {
  if (restored === undefined) return () => false;
  const positions = new Map<string, CommittedPosition>();
  for (const sample of commits) {
    if (sample.endedAt > restored.at) break;
    for (const position of sample.positions) positions.set(`${position.topic}/${position.partition}`, position);
  }
  return (delivery) => {
    if (!restored.overtaken.has(delivery.lane) || (endOf(delivery) ?? Number.POSITIVE_INFINITY) < restored.at)
      return false;
    const first = delivery.records.find(({ topic }) => topic === 'deliveries');
    const position = positions.get(`deliveries/${first?.partition}`);
    return first !== undefined && position !== undefined && isFinished(position, first.offset);
  };
}
