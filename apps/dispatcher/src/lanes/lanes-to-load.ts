import { hash } from 'node:crypto';

/** Hexadecimal digits that fit a double exactly. */
const DIGITS = 13;

/**
 * Fingerprints of the lanes that are loaded from PostgreSQL before their next record is judged. A million fingerprints take
 * about 50 MB; names would take several times that. Two lanes with the same 52 bits cost one needless query.
 */
export class LanesToLoad {
  private readonly fingerprints = new Set<number>();

  get size(): number {
    return this.fingerprints.size;
  }

  has(lane: string): boolean {
    return this.fingerprints.size > 0 && this.fingerprints.has(fingerprint(lane));
  }

  add(lane: string): void {
    this.fingerprints.add(fingerprint(lane));
  }

  delete(lane: string): void {
    if (this.fingerprints.size > 0) this.fingerprints.delete(fingerprint(lane));
  }
}

function fingerprint(lane: string): number {
  return Number.parseInt(hash('sha1', lane, 'hex').slice(0, DIGITS), 16);
}
