import { Numbers, withRoom } from './numbers.js';

/**
 * Short lists of numbers, packed into one typed array. An array object for each list would take 60 to 300 bytes more
 * (measured). The places of a block are the least power of two that holds its numbers, so a freed range fits other blocks.
 */
export class Blocks {
  private places: Uint32Array<ArrayBuffer> = new Uint32Array(1_024);
  private end = 0;
  /** Starts of free ranges, by the logarithm of their length. */
  private readonly free: number[][] = [];
  private readonly numbers = new Numbers();
  private starts: Uint32Array<ArrayBuffer> = new Uint32Array(16);
  private sizes: Uint32Array<ArrayBuffer> = new Uint32Array(16);

  /** @returns the new block, which has this one value */
  create(value: number): number {
    const block = this.blockOf(1);
    this.places[this.startOf(block)] = value;
    return block;
  }

  sizeOf(block: number): number {
    return this.sizes[block] ?? 0;
  }

  at(block: number, index: number): number {
    return this.places[this.startOf(block) + index] ?? 0;
  }

  /** Adds the values from this index on to `found`, until one is refused. @returns whether none was */
  collect(block: number, index: number, isWanted: (value: number) => boolean, found: number[]): boolean {
    const start = this.startOf(block);
    const end = start + this.sizeOf(block);
    for (let place = start + index; place < end; place++) {
      const value = this.places[place] ?? 0;
      if (!isWanted(value)) return false;
      found.push(value);
    }
    return true;
  }

  insert(block: number, index: number, value: number): void {
    const size = this.sizeOf(block);
    this.resize(block, size + 1);
    const start = this.startOf(block);
    this.places.copyWithin(start + index + 1, start + index, start + size);
    this.places[start + index] = value;
  }

  /** Without its last value the block is gone. */
  removeAt(block: number, index: number): void {
    const [start, size] = [this.startOf(block), this.sizeOf(block)];
    this.places.copyWithin(start + index, start + index + 1, start + size);
    if (size > 1) this.resize(block, size - 1);
    else this.drop(block);
  }

  /** @returns a new block with the upper half of the values, which leave this one */
  split(block: number): number {
    const size = this.sizeOf(block);
    const kept = size >> 1;
    const upper = this.blockOf(size - kept);
    const start = this.startOf(block);
    this.places.copyWithin(this.startOf(upper), start + kept, start + size);
    this.resize(block, kept);
    return upper;
  }

  private blockOf(size: number): number {
    const block = this.numbers.take();
    this.starts = withRoom(this.starts, block);
    this.sizes = withRoom(this.sizes, block);
    this.starts[block] = this.allocate(classOf(size));
    this.sizes[block] = size;
    return block;
  }

  private drop(block: number): void {
    this.release(this.startOf(block), classOf(this.sizeOf(block)));
    this.sizes[block] = 0;
    this.numbers.give(block);
  }

  private resize(block: number, size: number): void {
    const former = this.sizeOf(block);
    this.sizes[block] = size;
    if (classOf(former) === classOf(size)) return;
    const [from, to] = [this.startOf(block), this.allocate(classOf(size))];
    this.places.copyWithin(to, from, from + Math.min(former, size));
    this.release(from, classOf(former));
    this.starts[block] = to;
  }

  private allocate(sizeClass: number): number {
    const freed = this.free[sizeClass]?.pop();
    if (freed !== undefined) return freed;
    const start = this.end;
    this.end += 1 << sizeClass;
    this.places = withRoom(this.places, this.end - 1);
    return start;
  }

  private release(start: number, sizeClass: number): void {
    while (this.free.length <= sizeClass) this.free.push([]);
    this.free[sizeClass]?.push(start);
  }

  private startOf(block: number): number {
    return this.starts[block] ?? 0;
  }
}

/** The logarithm of the least power of two that is not less. */
function classOf(size: number): number {
  return 32 - Math.clz32(size - 1);
}
