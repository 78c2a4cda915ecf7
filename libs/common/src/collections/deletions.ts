/**
 * Ids that were deleted, each with the version of its deletion, so that an older record cannot bring one back. The oldest
 * are evicted beyond `limit`.
 */
export class Deletions {
  private readonly versions = new Map<string, number>();

  /** @param maxVersion at which a later record counts, whatever was deleted: no record can have a higher version */
  constructor(
    private readonly limit: number,
    private readonly maxVersion: number,
  ) {}

  /** @param version undefined for a deletion that carries none: it keeps no record away */
  add(id: string, version: number | undefined): void {
    const known = this.versions.get(id) ?? Number.NEGATIVE_INFINITY;
    this.versions.delete(id);
    this.versions.set(id, Math.max(known, version ?? Number.NEGATIVE_INFINITY));
    if (this.versions.size <= this.limit) return;
    const [oldest] = this.versions.keys();
    if (oldest !== undefined) this.versions.delete(oldest);
  }

  /** The id is in use again. */
  remove(id: string): void {
    this.versions.delete(id);
  }

  has(id: string): boolean {
    return this.versions.has(id);
  }

  /** @returns whether a record of this version is older than the deletion of its id */
  covers(id: string, version: number): boolean {
    return version < this.maxVersion && version <= (this.versions.get(id) ?? Number.NEGATIVE_INFINITY);
  }
}
