import { compact } from './compact.js';

/** Remembers at least the last `capacity` values, and at most twice as many, in constant time. */
export class RecentSet {
  private young = new Set<string>();
  private old = new Set<string>();

  constructor(private readonly capacity: number) {}

  has(value: string): boolean {
    return this.young.has(value) || this.old.has(value);
  }

  add(value: string): void {
    if (this.capacity === 0) return;
    this.young.add(compact(value));
    if (this.young.size < this.capacity) return;
    this.old = this.young;
    this.young = new Set();
  }
}
