/*
 * The breaker of one endpoint (docs/adr/0007-breaker-in-the-projector.md), as a pure state machine. It counts deliveries that died of their
 * attempts, not attempts: an endpoint that fails now and then, and takes what is tried again, keeps it closed.
 *
 * closed ──threshold deliveries dead in a row──► open ──cool-down over──► half_open ──an attempt delivers──► closed
 *                                                 ▲                          │
 *                                                 └──an attempt fails, longer cool-down
 */

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** `automatic` probes and recovers by itself, `manual` waits for an operator, `discard` gives deliveries up while open. */
export const BREAKER_MODES = ['automatic', 'manual', 'discard'] as const;
export type BreakerMode = (typeof BREAKER_MODES)[number];

export interface BreakerSettings {
  readonly mode: BreakerMode;
  /** Deliveries dead in a row that open it; at least 1. */
  readonly threshold: number;
  readonly cooldownMs: number;
  /** The cool-down doubles with every opening in a row, up to this. */
  readonly maxCooldownMs: number;
}

/** Times in ms since the epoch. */
export interface Breaker {
  readonly state: BreakerState;
  /** Deliveries dead since the last one that was delivered; counted while closed. */
  readonly consecutiveDead: number;
  /** How often it opened since it was last closed. */
  readonly openings: number;
  /** When it last opened; undefined while closed. */
  readonly openedAt: number | undefined;
  /** Open: when the cool-down ends, undefined for an operator to end it. Half-open: when it ended. Closed: undefined. */
  readonly halfOpenAt: number | undefined;
}

export type BreakerEvent =
  /**
   * The outcome of one attempt, which began at `at`. `dead` also ends the delivery. After a crash an attempt may be
   * repeated; then its first outcome was an event before.
   */
  | {
      readonly type: 'attempted';
      readonly outcome: 'delivered' | 'retry' | 'dead';
      readonly at: number;
      readonly isRepeat?: boolean;
    }
  /** Time has passed. */
  | { readonly type: 'ticked' }
  /** An operator says that the endpoint is well. */
  | { readonly type: 'resumed' }
  /** Other settings hold from now on. */
  | { readonly type: 'configured' };

export const CLOSED: Breaker = {
  state: 'closed',
  consecutiveDead: 0,
  openings: 0,
  openedAt: undefined,
  halfOpenAt: undefined,
};

/** @param now ms since the epoch; @returns the same object when nothing changes */
export function stepBreaker(breaker: Breaker, event: BreakerEvent, settings: BreakerSettings, now: number): Breaker {
  switch (event.type) {
    case 'attempted':
      return attempted(breaker, event, settings, now);
    case 'ticked':
      return isCooledDown(breaker, now) ? { ...breaker, state: 'half_open', halfOpenAt: now } : breaker;
    case 'resumed':
      return breaker.state === 'closed' && breaker.consecutiveDead === 0 ? breaker : CLOSED;
    case 'configured':
      return configured(breaker, settings, now);
  }
}

/** How long the breaker stays open after this many openings in a row, the last one included. */
export function cooldownMs(openings: number, settings: BreakerSettings): number {
  return Math.min(settings.maxCooldownMs, settings.cooldownMs * 2 ** (openings - 1));
}

function attempted(
  breaker: Breaker,
  { outcome, at, isRepeat = false }: Extract<BreakerEvent, { type: 'attempted' }>,
  settings: BreakerSettings,
  now: number,
): Breaker {
  const { state, consecutiveDead } = breaker;
  if (isRepeat && !isProbe(breaker, at)) return breaker;
  // Attempts that were in flight when it opened prove nothing new: only the end of the cool-down, or an operator, changes it.
  if (state === 'open') return breaker;
  if (state === 'half_open' && outcome === 'delivered') return CLOSED;
  if (state === 'half_open') return at < (breaker.halfOpenAt ?? 0) ? breaker : open(breaker, settings, now);
  if (outcome === 'retry') return breaker;
  if (outcome === 'delivered') return consecutiveDead === 0 ? breaker : CLOSED;
  const counted = { ...breaker, consecutiveDead: consecutiveDead + 1 };
  return counted.consecutiveDead < settings.threshold ? counted : open(counted, settings, now);
}

/** A repeated attempt counts once, but a repeated probe decides: without it the next probe goes 45 s later. */
function isProbe({ state, halfOpenAt = 0 }: Breaker, at: number): boolean {
  return state === 'half_open' && at >= halfOpenAt;
}

function open(breaker: Breaker, settings: BreakerSettings, now: number): Breaker {
  const openings = breaker.openings + 1;
  const halfOpenAt = settings.mode === 'manual' ? undefined : now + cooldownMs(openings, settings);
  return { ...breaker, state: 'open', openings, openedAt: now, halfOpenAt };
}

function isCooledDown({ state, halfOpenAt }: Breaker, now: number): boolean {
  return state === 'open' && halfOpenAt !== undefined && halfOpenAt <= now;
}

/** A breaker that has become manual waits for an operator, one that no longer is gets its cool-down. */
function configured(breaker: Breaker, settings: BreakerSettings, now: number): Breaker {
  if (breaker.state === 'closed') return breaker;
  if (settings.mode === 'manual') return { ...breaker, state: 'open', halfOpenAt: undefined };
  if (breaker.state === 'half_open') return breaker;
  const halfOpenAt = (breaker.openedAt ?? now) + cooldownMs(breaker.openings, settings);
  return { ...breaker, halfOpenAt };
}
