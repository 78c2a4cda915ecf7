/** Keeps at least the values of the last `capacity` keys in use, and at most twice as many, in constant time. */
export class RecentMap<K, V extends object> {
  private young = new Map<K, V>();
  private old = new Map<K, V>();

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.young.size + this.old.size;
  }

  get(key: K): V | undefined {
    const recent = this.young.get(key);
    if (recent !== undefined) return recent;
    const known = this.old.get(key);
    if (known !== undefined) this.set(key, known);
    return known;
  }

  set(key: K, value: V): void {
    this.old.delete(key);
    this.young.set(key, value);
    if (this.young.size < this.capacity) return;
    this.old = this.young;
    this.young = new Map();
  }

  delete(key: K): void {
    this.young.delete(key);
    this.old.delete(key);
  }
}
