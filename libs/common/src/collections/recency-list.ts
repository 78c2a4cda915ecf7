/** An item of a {@link RecencyList}, and of no other list at the same time. */
export interface Listed<T> {
  /** Managed by the list. */
  older: T | undefined;
  newer: T | undefined;
}

/**
 * Items in the order in which they were added, linked through the items themselves. Each operation takes constant time and
 * allocates nothing.
 */
export class RecencyList<T extends Listed<T>> {
  private oldestItem: T | undefined;
  private newestItem: T | undefined;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The item that was added first; undefined when the list is empty. */
  get oldest(): T | undefined {
    return this.oldestItem;
  }

  /** @param item that is in no list */
  add(item: T): void {
    item.older = this.newestItem;
    if (this.newestItem === undefined) this.oldestItem = item;
    else this.newestItem.newer = item;
    this.newestItem = item;
    this.count++;
  }

  /** @param item of this list */
  delete(item: T): void {
    const { older, newer } = item;
    if (older === undefined) this.oldestItem = newer;
    else older.newer = newer;
    if (newer === undefined) this.newestItem = older;
    else newer.older = older;
    item.older = undefined;
    item.newer = undefined;
    this.count--;
  }
}
