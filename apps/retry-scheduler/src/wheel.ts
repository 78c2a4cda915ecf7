import { MAX_DELAY_MS } from '#common/domain/retry-policy.js';
import { EAGER_TIER, type Hop, hopFor, TIERS, type Tier } from '#common/domain/tier.js';

/** One record's wait in a tier. Times in ms since the epoch. */
export interface Wait {
  readonly tier: Tier;
  /** When the delivery may be attempted again. */
  readonly dueAt: number;
  /** When the record should leave its tier, as whoever wrote it said; undefined when it did not. */
  readonly tierUntil: number | undefined;
  /** When this process read it. */
  readonly readAt: number;
}

/** What becomes of a waiting record now. */
export type Step =
  | { readonly kind: 'hold'; readonly until: number }
  | { readonly kind: 'move'; readonly hop: Hop }
  | { readonly kind: 'return' };

/** What waits shorter than this is in the eager tier, and nothing else is. */
const EAGER_SPAN_MS = TIERS[1].delayMs;

/** How far two machines' clocks may differ before a due time counts as nonsense. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * What to do with a record now: `return` only once it is due, `hold` while its tier keeps it, else `move` to the tier for
 * the time that remains.
 *
 * A tier keeps no record longer than its own delay, counted from the reading: a senseless `tierUntil` then costs one hop,
 * and takes no memory for years. The bound uses this process's clock alone; one from the broker's append time would send
 * records in circles where the two clocks differ.
 */
export function judge(wait: Wait, nowMs: number): Step {
  const remainingMs = wait.dueAt - nowMs;
  if (remainingMs <= 0) return { kind: 'return' };
  const until = holdUntil(wait, remainingMs);
  return nowMs < until ? { kind: 'hold', until } : { kind: 'move', hop: hopFor(remainingMs, nowMs) };
}

/**
 * A due time kept within what a wait in this tier may be, counted from the record's append time (ms since the epoch). What
 * has longer to go was put here by a process whose clock is ahead: its deliveries must not wait for as long as it is.
 */
export function boundedDueAt(dueAt: number, appendedAt: number, tier: Tier): number {
  const latestAt = appendedAt + longestWaitIn(tier);
  return dueAt > latestAt + CLOCK_TOLERANCE_MS ? latestAt : dueAt;
}

/** What is longer enters the next tier. */
function longestWaitIn(tier: Tier): number {
  return TIERS[TIERS.findIndex(({ topic }) => topic === tier.topic) + 1]?.delayMs ?? MAX_DELAY_MS;
}

function holdUntil({ tier, dueAt, tierUntil = dueAt, readAt }: Wait, remainingMs: number): number {
  // Only a misplaced record waits this long in the eager tier; it must not take the heap's memory meanwhile.
  if (tier === EAGER_TIER) return remainingMs < EAGER_SPAN_MS ? dueAt : 0;
  return Math.min(dueAt, tierUntil, readAt + tier.delayMs);
}
