import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until a condition holds. Checks at least once, then every `everyMs`.
 *
 * @param {string} what the awaited state, for the error message
 * @param {() => Promise<boolean> | boolean} condition
 * @param {object} options
 * @param {number} options.timeoutMs
 * @param {number} [options.everyMs]
 * @param {AbortSignal} [options.signal]
 * @param {boolean} [options.isStrict] an error of the condition is thrown at once; otherwise the condition counts as
 * not yet
 *   true, and its last error is part of the message when the time is over
 * @returns {Promise<void>}
 */
export async function until(what, condition, { timeoutMs, everyMs = 100, signal, isStrict = false }) {
  const deadline = Date.now() + timeoutMs;
  /** @type {unknown} */
  let lastError;
  do {
    signal?.throwIfAborted();
    try {
      if (await condition()) return;
    } catch (error) {
      if (isStrict) throw error;
      lastError = error;
    }
    await delay(everyMs);
  } while (Date.now() < deadline);
  const reason = lastError instanceof Error ? `: ${lastError.message}` : '';
  throw new Error(`${what}: not after ${Math.round(timeoutMs / 1_000)} s${reason}`);
}
