import { MAX_DELAY_MS } from '#common/domain/retry-policy.js';
import { EAGER_TIER, type Hop, hopFor, TIERS, type Tier } from '#common/domain/tier.js';

/** One record's wait in a tier. Times in ms since the epoch. */
export interface Wait {
  readonly tier: Tier;
  /** Due time of the delivery. */
  readonly dueAt: number;
  /** Time at which the record should leave its tier, by its header; undefined without one. */
  readonly tierUntil: number | undefined;
  /** Time at which this process read the record. */
  readonly readAt: number;
}

/** The next step of a waiting record. */
export type TierStep =
  | { readonly kind: 'hold'; readonly until: number }
  | { readonly kind: 'move'; readonly hop: Hop }
  | { readonly kind: 'return' };

/** Deliveries that are due sooner than this belong to the eager tier. */
const EAGER_SPAN_MS = TIERS[1].delayMs;

/** Largest clock difference between two machines. Due times beyond it count as invalid. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Decides the next step of a record: `return` when it is due, `hold` while its tier keeps it, else `move` to the tier
 * for the rest of its wait.
 *
 * A tier keeps a record at most for its own delay, counted from `readAt`. An invalid `tierUntil` then costs one hop,
 * and does not occupy memory for years. The limit uses this process's clock alone: with the broker's append time, a
 * clock difference would send records in circles.
 */
export function tierStep(wait: Wait, nowMs: number): TierStep {
  const remainingMs = wait.dueAt - nowMs;
  if (remainingMs <= 0) return { kind: 'return' };
  const until = holdUntil(wait, remainingMs);
  return nowMs < until ? { kind: 'hold', until } : { kind: 'move', hop: hopFor(remainingMs, nowMs) };
}

/**
 * Limits a due time to the longest wait of this tier, counted from the record's append time (ms since the epoch). A
 * later due time comes from a process whose clock is ahead. Its deliveries must not wait for the clock difference.
 */
export function boundedDueAt(dueAt: number, appendedAt: number, tier: Tier): number {
  const latestAt = appendedAt + longestWaitIn(tier);
  return dueAt > latestAt + CLOCK_TOLERANCE_MS ? latestAt : dueAt;
}

/** Longest wait that enters this tier: longer ones enter the next tier. */
function longestWaitIn(tier: Tier): number {
  return TIERS[TIERS.findIndex(({ topic }) => topic === tier.topic) + 1]?.delayMs ?? MAX_DELAY_MS;
}

function holdUntil({ tier, dueAt, tierUntil = dueAt, readAt }: Wait, remainingMs: number): number {
  // A record with a longer wait does not belong in the eager tier. It moves at once, so that it occupies no memory
  // here.
  if (tier === EAGER_TIER) return remainingMs < EAGER_SPAN_MS ? dueAt : 0;
  return Math.min(dueAt, tierUntil, readAt + tier.delayMs);
}
