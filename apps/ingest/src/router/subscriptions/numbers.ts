/** Numbers of things that come and go. A freed number is used again, so arrays by number stay dense. */
export class Numbers {
  private readonly free: number[] = [];
  private next = 0;

  take(): number {
    return this.free.pop() ?? this.next++;
  }

  give(number: number): void {
    this.free.push(number);
  }

  get inUse(): number {
    return this.next - this.free.length;
  }
}

/**
 * Grows by a quarter: doubling would leave half of a large array unused.
 *
 * @returns the array if it has this index, else a longer one with its content; the given array is then empty
 */
export function withRoom(array: Uint32Array<ArrayBuffer>, index: number): Uint32Array<ArrayBuffer> {
  if (index < array.length) return array;
  const length = Math.ceil((index + 1) * 1.25);
  return new Uint32Array(array.buffer.transfer(length * Uint32Array.BYTES_PER_ELEMENT));
}
