/** What lies in a {@link Bag}, and in no other at the same time. */
export interface Bagged {
  /** The bag's own. */
  bagIndex: number;
}

/**
 * An unordered set whose members change thousands of times a second.
 *
 * V8's own `Set` and `Map` grow by new tables, and an old table points to its successor. Once one of them lies in the old
 * generation, all that follow survive every young collection, and with them all that was in them while they were replaced:
 * garbage of a few ms is promoted as if it were old (docs/performance.md).
 */
export class Bag<T extends Bagged> implements Iterable<T> {
  private readonly items: T[] = [];

  get size(): number {
    return this.items.length;
  }

  add(item: T): void {
    item.bagIndex = this.items.push(item) - 1;
  }

  /** @returns false when it is not here */
  delete(item: T): boolean {
    if (this.items[item.bagIndex] !== item) return false;
    const last = this.items.pop();
    if (last === undefined || last === item) return true;
    this.items[item.bagIndex] = last;
    last.bagIndex = item.bagIndex;
    return true;
  }

  /** The present members. Additions and removals during the iteration have no effect on it. */
  [Symbol.iterator](): IterableIterator<T> {
    return [...this.items].values();
  }
}
