/** How far the wait before a retry may stray from the base delay. `full` follows AWS, "Exponential Backoff and Jitter", 2015. */
export type Jitter = 'none' | 'percent10' | 'equal' | 'full';

export const JITTERS = ['none', 'percent10', 'equal', 'full'] as const satisfies readonly Jitter[];

/** When a delivery is tried again, and when it is given up. Every form a tenant may write is expanded to this one. */
export interface RetryPolicy {
  /** Base wait after the 1st, 2nd, … failed attempt, in whole milliseconds; one entry fewer than there are attempts. */
  readonly delaysMs: readonly number[];
  readonly jitter: Jitter;
  /** Longest wait, jitter included; also of a `Retry-After`. Without it a `Retry-After` is capped at the longest of `delaysMs`. */
  readonly capMs?: number | undefined;
  /** Statuses that end the delivery at once, as `unrecoverable`. 410 always ends it and need not be named. */
  readonly permanentStatuses: readonly number[];
}

export const PRESET_NAMES = ['quick', 'patient', 'gentle'] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** Shortest and longest wait a policy or a `Retry-After` may ask for. */
export const MIN_DELAY_MS = 100;
export const MAX_DELAY_MS = 7 * 24 * 3_600_000;

/** Most attempts of a replay. A policy with fewer attempts keeps its own number. */
export const REPLAY_ATTEMPTS = 3;

const DAY_MS = 24 * 3_600_000;

/** @throws RangeError when `attempts` is below 1 */
export function exponentialDelaysMs(form: {
  attempts: number;
  initialMs: number;
  factor: number;
  capMs: number;
}): number[] {
  if (form.attempts < 1) throw new RangeError('a policy has at least one attempt');
  return Array.from({ length: form.attempts - 1 }, (_, index) =>
    Math.round(Math.min(form.capMs, form.initialMs * form.factor ** index)),
  );
}

export const PRESETS: Readonly<Record<PresetName, RetryPolicy>> = {
  quick: { delaysMs: [4_000, 16_000, 64_000], jitter: 'none', permanentStatuses: [] },
  patient: {
    delaysMs: exponentialDelaysMs({ attempts: 14, initialMs: 60_000, factor: 2, capMs: DAY_MS }),
    jitter: 'percent10',
    capMs: DAY_MS,
    permanentStatuses: [],
  },
  gentle: {
    delaysMs: exponentialDelaysMs({ attempts: 9, initialMs: 1_000, factor: 2, capMs: DAY_MS }),
    jitter: 'full',
    capMs: DAY_MS,
    permanentStatuses: [401, 404],
  },
};

/** Attempts in all, the first included. A replay never gets more than {@link REPLAY_ATTEMPTS}. */
export function attemptsAllowed(policy: RetryPolicy, replay: number): number {
  const attempts = policy.delaysMs.length + 1;
  return replay > 0 ? Math.min(attempts, REPLAY_ATTEMPTS) : attempts;
}

/**
 * The wait before the next attempt.
 *
 * @param attempt 1-based number of the attempt that just failed
 * @param random uniform in [0, 1), injected so that tests can fix it
 * @returns whole milliseconds within [MIN_DELAY_MS, MAX_DELAY_MS], or undefined when the policy has no attempt left
 * @throws RangeError when `attempt` is below 1
 */
export function backoffMs(policy: RetryPolicy, attempt: number, random: () => number): number | undefined {
  if (attempt < 1) throw new RangeError('attempts are counted from 1');
  const baseMs = policy.delaysMs[attempt - 1];
  if (baseMs === undefined) return undefined;
  return clampDelayMs(Math.min(jittered(baseMs, policy.jitter, random), policy.capMs ?? MAX_DELAY_MS));
}

/** The wait an endpoint asked for, as far as the policy lets it. */
export function cappedDelayMs(policy: RetryPolicy, askedMs: number): number {
  return clampDelayMs(Math.min(askedMs, policy.capMs ?? Math.max(...policy.delaysMs)));
}

/** Clamps a wait to `MIN_DELAY_MS`..`MAX_DELAY_MS`. NaN counts as the shortest. */
export function clampDelayMs(delayMs: number): number {
  if (!(delayMs > MIN_DELAY_MS)) return MIN_DELAY_MS;
  return Math.round(Math.min(delayMs, MAX_DELAY_MS));
}

function jittered(baseMs: number, jitter: Jitter, random: () => number): number {
  switch (jitter) {
    case 'none':
      return baseMs;
    case 'percent10':
      return baseMs * (0.9 + 0.2 * random());
    case 'equal':
      return baseMs * (0.5 + 0.5 * random());
    case 'full':
      return baseMs * random();
  }
}
