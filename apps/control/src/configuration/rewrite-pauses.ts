/** Least time between two writings of one key: a stranger that writes without end costs no more than this. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** Writings of one key before its pause grows: a few bad records in a row are mended at once. */
const STEADY_WRITINGS = 10;
/** A key that needed no writing for this long begins again with the first pause. */
const QUIET_MS = 60_000;

interface Writing {
  readonly at: number;
  /** Without a quiet time between them. */
  readonly writings: number;
}

/** Paces writings by key: a key that never comes to rest is written more and more rarely. */
export class RewritePauses {
  /** The one that was written longest ago first. */
  private readonly last = new Map<string, Writing>();

  /** @param nowMs a clock that never goes back */
  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** @returns whether the key may be written now, which then counts as a writing */
  take(key: string): boolean {
    const now = this.nowMs();
    this.evict(now);
    const { at, writings } = this.last.get(key) ?? { at: Number.NEGATIVE_INFINITY, writings: 0 };
    if (now - at < pauseAfter(writings)) return false;
    this.last.delete(key);
    this.last.set(key, { at: now, writings: writings + 1 });
    return true;
  }

  private evict(now: number): void {
    for (const [key, { at }] of this.last) {
      if (now - at < QUIET_MS) return;
      this.last.delete(key);
    }
  }
}

function pauseAfter(writings: number): number {
  return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.max(0, writings - STEADY_WRITINGS));
}
