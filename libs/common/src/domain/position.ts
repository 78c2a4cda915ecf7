/** Offsets of one generation; far more than a partition ever holds. */
const SPAN = 2 ** 40;
/** The last offset that has a position. */
export const MAX_OFFSET = SPAN - 1;
/** A position must have no more than 15 digits: packed fields of records hold no more. */
export const MAX_GENERATION = 908;

/**
 * Position number of a record. An offset means something only within its log; a generation is one log of a topic, counted
 * from 0. Positions of a later generation are above all positions of an earlier one. In generation 0 they are the offsets.
 *
 * @throws RangeError when the number would not be exact
 */
export function positionOf(generation: number, offset: number): number {
  if (offset >= SPAN || offset < 0 || generation < 0 || generation > MAX_GENERATION)
    throw new RangeError(`there is no position for offset ${offset} of generation ${generation}`);
  return generation * SPAN + offset;
}

export function generationOf(position: number): number {
  return Math.floor(position / SPAN);
}

export function offsetOf(position: number): number {
  return position % SPAN;
}

/** Where the deliveries begin that are parked for a generation after its log was lost: above all its offsets. */
export function carriedPosition(generation: number, ordinal: number): number {
  return positionOf(generation, SPAN / 2 + ordinal);
}
