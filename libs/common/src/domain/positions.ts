import { positionOf } from './position.js';

/** Where a partition lost its tail. What is written there afterwards is of a generation of its own. */
export interface LostTail {
  /** First offset that was lost: the records from here on are other ones than before. */
  readonly fromOffset: number;
  /** Of the records from here on; higher than every generation that the topic had before. */
  readonly generation: number;
}

/**
 * Positions of the records of one partition. A partition that lost its tail begins a new generation at the first lost
 * offset, so that every new position is above those of the lost records.
 */
export class Positions {
  /** First offset that was lost last; undefined for a log that lost no tail. */
  readonly lostFrom: number | undefined;
  /** Records from here on are of the latest generation. */
  private readonly from: number;
  private readonly latest: number;
  private readonly tails: readonly LostTail[];

  /**
   * @param generation of the log
   * @param lost tails that the log lost, in any order
   */
  constructor(
    readonly generation: number,
    lost: readonly LostTail[] = [],
  ) {
    this.tails = presentTails(lost);
    const last = this.tails.at(-1);
    this.lostFrom = last?.fromOffset;
    this.from = last?.fromOffset ?? 0;
    this.latest = last?.generation ?? generation;
  }

  /** @throws RangeError when the number would not be exact */
  of(offset: number): number {
    return positionOf(offset >= this.from ? this.latest : this.generationBefore(offset), offset);
  }

  private generationBefore(offset: number): number {
    return this.tails.findLast(({ fromOffset }) => fromOffset <= offset)?.generation ?? this.generation;
  }
}

/** Those whose records are still in the log, lowest first. A tail that is lost takes the tails above its offset with it. */
export function presentTails<Tail extends LostTail>(lost: readonly Tail[]): Tail[] {
  let present: Tail[] = [];
  for (const tail of lost.toSorted((a, b) => a.generation - b.generation)) {
    present = [...present.filter(({ fromOffset }) => fromOffset < tail.fromOffset), tail];
  }
  return present;
}
