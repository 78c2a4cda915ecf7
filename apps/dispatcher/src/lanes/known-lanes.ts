import { hash } from 'node:crypto';

/** Hexadecimal digits that fit a double exactly. */
const DIGITS = 13;

/**
 * Lanes the database must be asked about before anything of them is judged, by fingerprint: a million of them take some
 * 50 MB, their names would take several times that. Two lanes that share 52 bits cost one needless question.
 */
export class KnownLanes {
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
