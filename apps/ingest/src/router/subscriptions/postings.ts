import { Blocks } from './blocks.js';

/**
 * Endpoints of a block, at most. With 512 the ranges that growing blocks leave behind took 110 bytes for each of 100 000
 * endpoints, with 64 a tenth (measured).
 */
const MAX_BLOCK = 64;

/**
 * The endpoints of each pattern, of all tenants, ordered by tenant and slot: the endpoints of one tenant lie side by side and
 * are found by binary search. An endpoint takes 4 to 8 bytes in each of its patterns.
 */
export class Postings {
  private readonly blocks = new Blocks();
  /** By pattern: its block, or its blocks in order. */
  private readonly lists: (number | number[] | undefined)[] = [];

  /** @param tenantOf the tenant's number of a slot; it must not change while the slot is here */
  constructor(
    private readonly tenantOf: (slot: number) => number,
    private readonly maxBlock = MAX_BLOCK,
  ) {}

  /** @param slot not in this pattern yet */
  add(pattern: number, slot: number): void {
    const tenant = this.tenantOf(slot);
    const list = this.listOf(pattern);
    const place = this.placeOf(list, tenant, slot);
    const block = list[place];
    if (block === undefined) {
      this.keep(pattern, [this.blocks.create(slot)]);
      return;
    }
    this.blocks.insert(block, this.lowerBound(block, tenant, slot), slot);
    if (this.blocks.sizeOf(block) < this.maxBlock) return;
    this.keep(pattern, list.toSpliced(place + 1, 0, this.blocks.split(block)));
  }

  /** @returns whether the pattern has no endpoint left */
  remove(pattern: number, slot: number): boolean {
    const tenant = this.tenantOf(slot);
    const list = this.listOf(pattern);
    const place = this.placeOf(list, tenant, slot);
    const block = list[place];
    if (block === undefined) return true;
    this.blocks.removeAt(block, this.lowerBound(block, tenant, slot));
    if (this.blocks.sizeOf(block) > 0) return false;
    this.keep(pattern, list.toSpliced(place, 1));
    return list.length === 1;
  }

  /** @returns the slots of one tenant that have the pattern, in ascending order */
  of(pattern: number, tenant: number): number[] {
    const found: number[] = [];
    const isWanted = (slot: number) => this.tenantOf(slot) === tenant;
    const list = this.listOf(pattern);
    let place = this.placeOf(list, tenant, 0);
    let block = list[place];
    let index = block === undefined ? 0 : this.lowerBound(block, tenant, 0);
    while (block !== undefined && this.blocks.collect(block, index, isWanted, found)) {
      block = list[++place];
      index = 0;
    }
    return found;
  }

  private listOf(pattern: number): readonly number[] {
    const list = this.lists[pattern];
    if (typeof list === 'number') return [list];
    return list ?? [];
  }

  private keep(pattern: number, list: number[]): void {
    this.lists[pattern] = list.length > 1 ? list : list[0];
  }

  /** The last block whose first slot is not behind this one, else the first block. */
  private placeOf(list: readonly number[], tenant: number, slot: number): number {
    let low = 0;
    let high = list.length - 1;
    // At a start most endpoints come behind all others: their tenant or their slot is new.
    if (high > 0 && this.isBefore(this.blocks.at(list[high] ?? 0, 0), tenant, slot + 1)) return high;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const first = this.blocks.at(list[middle] ?? 0, 0);
      if (this.isBefore(first, tenant, slot + 1)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The first index of a block that is not before this slot. */
  private lowerBound(block: number, tenant: number, slot: number): number {
    let low = 0;
    let high = this.blocks.sizeOf(block);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.isBefore(this.blocks.at(block, middle), tenant, slot)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private isBefore(one: number, tenant: number, slot: number): boolean {
    const its = this.tenantOf(one);
    return its < tenant || (its === tenant && one < slot);
  }
}
