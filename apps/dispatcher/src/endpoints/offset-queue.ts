/** Ascending offsets, first in, first out; 8 bytes each. */
export class OffsetQueue {
  private offsets: number[] = [];
  private head = 0;

  get size(): number {
    return this.offsets.length - this.head;
  }

  /** The lowest offset; undefined when there is none. */
  get first(): number | undefined {
    return this.offsets[this.head];
  }

  /** @param offset above all others */
  add(offset: number): void {
    this.offsets.push(offset);
  }

  /** Removes the lowest offset. */
  shift(): void {
    this.head++;
    if (this.head < 1_024 || this.head * 2 < this.offsets.length) return;
    this.offsets = this.offsets.slice(this.head);
    this.head = 0;
  }
}
