import { MIN_DELAY_MS, type RetryPolicy } from '#common/domain/retry-policy.js';
import type { AttemptResult } from '#common/domain/verdict.js';
import type { Ground } from './ground.js';
import type { Flight } from './simulated-attempter.js';

/** Tolerance, ms: clocks are read in whole ms. */
const ROUNDING_MS = 2;

/** Earliest time of each next attempt, computed from the policy, independent of the product's code. */
export class Pace {
  /** Earliest time of the next attempt, by life and number of attempts. */
  private readonly earliest = new Map<string, number>();

  constructor(private readonly ground: Pick<Ground, 'now' | 'skewMs'>) {}

  ended({ delivery, endpoint }: Flight, result: AttemptResult): void {
    const { deliveryId, replay, attempt } = delivery.meta;
    const key = `${deliveryId}/${replay}/${attempt + 1}`;
    const at = this.ground.now + leastWaitMs(endpoint.retry_policy, attempt, result);
    this.earliest.set(key, Math.min(at, this.earliest.get(key) ?? Number.POSITIVE_INFINITY));
  }

  /** @returns the violation, if the attempt is too early */
  early({ delivery }: Flight): string | undefined {
    const { deliveryId, replay, attempt } = delivery.meta;
    const key = `${deliveryId}/${replay}/${attempt}`;
    const earliest = this.earliest.get(key);
    if (attempt === 0 || earliest === undefined) return undefined;
    const earlyMs = earliest - this.ground.now - ROUNDING_MS - this.ground.skewMs;
    return earlyMs > 0 ? `${key} is sent ${Math.ceil(earlyMs)} ms early` : undefined;
  }
}

/** @param attempt 0-based */
function leastWaitMs({ delaysMs, jitter, capMs }: EndpointPolicy, attempt: number, result: AttemptResult): number {
  const capped = (ms: number) => Math.max(MIN_DELAY_MS, Math.min(ms, capMs ?? Number.POSITIVE_INFINITY));
  const share = { none: 1, percent10: 0.9, equal: 0.5, full: 0 }[jitter];
  const own = capped((delaysMs[attempt] ?? 0) * share);
  const asked = result.kind === 'response' ? Number(result.retryAfter ?? 0) * 1_000 : 0;
  return Math.max(own, asked === 0 ? 0 : Math.min(asked, capMs ?? Math.max(...delaysMs)));
}

type EndpointPolicy = Pick<RetryPolicy, 'delaysMs' | 'jitter' | 'capMs'>;
