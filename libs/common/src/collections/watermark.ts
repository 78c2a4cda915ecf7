/**
 * Which offsets of one partition are finished. Attempts finish out of order; the *watermark* is the lowest unfinished
 * offset, and the finished ones above it travel in the commit's metadata, so that a restart does not repeat them.
 */
export class Watermark {
  /** Offsets read and not yet below the watermark, ascending; `head` is the first that still counts. */
  private read: number[] = [];
  private head = 0;
  /** Those of them that need work. */
  private readonly open = new Set<number>();
  private readonly restored: Set<number>;
  private next: number;

  /**
   * @param start the committed offset
   * @param finishedAbove offsets above `start` that a former owner had finished
   */
  constructor(start: number, finishedAbove: Iterable<number> = []) {
    this.next = start;
    this.restored = new Set(finishedAbove);
  }

  /**
   * A record was read. Offsets that were skipped in the log (compaction, control records) count as finished.
   *
   * @returns false when it needs no work: finished by a former owner, or still held here and read a second time
   */
  begin(offset: number): boolean {
    if (offset < this.next) return false;
    this.next = offset + 1;
    const needsWork = !this.restored.delete(offset);
    if (needsWork) this.open.add(offset);
    if (this.open.size > 0) this.read.push(offset);
    return needsWork;
  }

  /** Everything below `next` was read. Aborted and control records, and those that compaction took, count as finished. */
  pass(next: number): void {
    this.next = Math.max(this.next, next);
  }

  /** The record at this offset, once begun, needs nothing more. Repeats are ignored. */
  finish(offset: number): void {
    if (!this.open.delete(offset)) return;
    while (this.head < this.read.length && !this.open.has(this.read[this.head] ?? -1)) this.head++;
    if (this.head > 1_024 && this.head * 2 > this.read.length) {
      this.read = this.read.slice(this.head);
      this.head = 0;
    }
  }

  /** The lowest unfinished offset: what to commit, and where a new owner starts. */
  get committable(): number {
    return this.read[this.head] ?? this.next;
  }

  /** Records begun and not finished. */
  get unfinished(): number {
    return this.open.size;
  }

  /** Finished offsets above the watermark, ascending. */
  finishedAbove(): number[] {
    const readOnes = this.read.slice(this.head).filter((offset) => !this.open.has(offset));
    const unreadOnes = [...this.restored].filter((offset) => offset >= this.committable);
    return [...readOnes, ...unreadOnes].sort((a, b) => a - b);
  }
}
