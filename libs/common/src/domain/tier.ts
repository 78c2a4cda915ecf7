/** One delay topic. The wheel is hierarchical: powers of four, so any wait is a handful of hops. */
export interface Tier {
  readonly topic: string;
  readonly delayMs: number;
}

/** Delay topics, shortest first. */
export const TIERS = [
  { topic: 'retry-4s', delayMs: 4_000 },
  { topic: 'retry-16s', delayMs: 16_000 },
  { topic: 'retry-64s', delayMs: 64_000 },
  { topic: 'retry-256s', delayMs: 256_000 },
  { topic: 'retry-1024s', delayMs: 1_024_000 },
  { topic: 'retry-4096s', delayMs: 4_096_000 },
  { topic: 'retry-16384s', delayMs: 16_384_000 },
  { topic: 'retry-65536s', delayMs: 65_536_000 },
] as const satisfies readonly Tier[];

/** The tier that is read eagerly into a heap; all others are first in, first out. */
export const EAGER_TIER = TIERS[0];

/** A place on the wheel. Times in ms since the epoch. */
export interface Hop {
  readonly tier: Tier;
  /** When the delivery may be attempted again. */
  readonly dueAt: number;
  /** When the record leaves this tier: for `deliveries` if that is `dueAt`, else for a lower tier. */
  readonly tierUntil: number;
}

/**
 * Where a delivery waits next. The tier follows from the wait itself, never from a clock read twice: 15.999 s left of a
 * 16 s wait must not fall one tier down. A wait shorter than every full tier uses the eager one, whose heap needs no fixed delay.
 *
 * @param delayMs the remaining wait, measured at `nowMs`; negative counts as 0
 */
export function hopFor(delayMs: number, nowMs: number): Hop {
  const waitMs = Math.max(0, delayMs);
  const dueAt = nowMs + waitMs;
  const tier = TIERS.findLast((candidate) => candidate.delayMs <= waitMs) ?? EAGER_TIER;
  return { tier, dueAt, tierUntil: tier === EAGER_TIER ? dueAt : Math.min(dueAt, nowMs + tier.delayMs) };
}

/**
 * How long a return that came before its time must still be held. It is early only if both clocks say so: one that is set
 * back by an hour would hold the return, and its lane, for as long.
 *
 * @param appendedAt when the broker stored the return
 * @param nowMs by our own clock, when it was read
 * @returns ms, 0 when it is due
 */
export function earlyMs(dueAt: number, { appendedAt, nowMs }: { appendedAt: number; nowMs: number }): number {
  return Math.max(0, dueAt - Math.max(appendedAt, nowMs));
}

/**
 * A return that has longer to go than this goes to a tier again: in memory it would hold back its partition's commit. No
 * scheduler's clock is so far ahead.
 */
export const MAX_EARLY_MS = 2 * 3_600_000;

/** Longest wait of one record in one tier; its topics must retain at least three times as long. */
export const LONGEST_TIER_MS = TIERS[TIERS.length - 1]?.delayMs ?? 0;

/** A tier that a delivery passes, and when it enters it; ms since the epoch. */
export interface Passage {
  readonly topic: string;
  readonly enteredAt: number;
}

/**
 * The tiers a delivery passes on its way from `fromMs` to `dueAtMs`, both in ms since the epoch, when nothing is late. One
 * that is due waits in the eager tier.
 */
export function tiersOnTheWay(fromMs: number, dueAtMs: number): Passage[] {
  const passed: Passage[] = [];
  for (let nowMs = fromMs; ; ) {
    const { tier, tierUntil } = hopFor(dueAtMs - nowMs, nowMs);
    passed.push({ topic: tier.topic, enteredAt: nowMs });
    if (tierUntil >= dueAtMs || tierUntil <= nowMs) return passed;
    nowMs = tierUntil;
  }
}
