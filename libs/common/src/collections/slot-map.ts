/**
 * A map whose entries change thousands of times a second. Its table holds numbers instead of values: removed values would
 * survive young collections for a long time, for the reason in {@link Bag}.
 */
export class SlotMap<K, V extends object> {
  private readonly slots = new Map<K, number>();
  private readonly held: (V | undefined)[] = [];
  private readonly free: number[] = [];

  get(key: K): V | undefined {
    const slot = this.slots.get(key);
    return slot === undefined ? undefined : this.held[slot];
  }

  set(key: K, value: V): void {
    const slot = this.slots.get(key) ?? this.free.pop() ?? this.held.length;
    this.slots.set(key, slot);
    this.held[slot] = value;
  }

  delete(key: K): void {
    const slot = this.slots.get(key);
    if (slot === undefined) return;
    this.slots.delete(key);
    this.held[slot] = undefined;
    this.free.push(slot);
  }

  /** Those that are here now, in no order. */
  values(): V[] {
    return this.held.filter((value) => value !== undefined);
  }
}
