import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks again and again until the condition holds. A condition that throws counts as not yet; its last error is part of
 * the message when time is up.
 *
 * @param {string} what what is waited for, for the error message
 * @param {() => Promise<boolean> | boolean} condition
 * @param {{ timeoutMs: number, everyMs?: number, signal?: AbortSignal | undefined }} options
 * @returns {Promise<void>}
 */
export async function until(what, condition, { timeoutMs, everyMs = 100, signal }) {
  const deadline = Date.now() + timeoutMs;
  /** @type {unknown} */
  let lastError;
  while (Date.now() < deadline) {
    signal?.throwIfAborted();
    try {
      if (await condition()) return;
    } catch (error) {
      lastError = error;
    }
    await delay(everyMs);
  }
  const reason = lastError instanceof Error ? `: ${lastError.message}` : '';
  throw new Error(`${what}: not after ${Math.round(timeoutMs / 1_000)} s${reason}`);
}
