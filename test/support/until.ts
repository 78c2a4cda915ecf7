import { until as untilOf } from '../../scripts/lib/until.mjs';

const POLL_MS = 20;

/**
 * Waits until a condition holds. An error of the condition fails the test at once.
 *
 * @throws Error naming `what` after `timeoutMs`
 */
export function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  return untilOf(what, condition, { timeoutMs, everyMs: POLL_MS, isStrict: true });
}
