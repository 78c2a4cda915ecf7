import type { Random } from '#common/domain/testing/random.js';
import { BEGINNING, type Moment, type VirtualTime } from './virtual-time.js';

const REAL = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, now: Date.now, random: Math.random };
const uptime = performance.now;
const utilization = performance.eventLoopUtilization;
/** In the simulation the event loop is never late. */
const IDLE = { idle: 1, active: 0, utilization: 0 };

/** Number of distinct random values. */
const GRAINS = 2 ** 32;

/**
 * Replaces clock, timers and randomness by those of a history, until `run` ends. The code inside must not await
 * promises from outside.
 */
export function inVirtualTime<Result>(time: VirtualTime, random: Random, run: () => Result): Result {
  const cancel = (moment: Moment | undefined) => {
    if (moment) moment.isCancelled = true;
  };
  Object.assign(globalThis, {
    setTimeout: (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      time.timer(() => call(...args), ms, false),
    setInterval: (call: () => void, ms: number) => time.timer(call, ms, true),
    setImmediate: (call: () => void) => time.after(0, call, time.current),
    clearTimeout: cancel,
    clearInterval: cancel,
  });
  Date.now = () => time.clock;
  performance.now = () => time.now - BEGINNING;
  performance.eventLoopUtilization = () => IDLE;
  Math.random = () => random.pick(GRAINS) / GRAINS;
  try {
    return run();
  } finally {
    const { now, random: realRandom, ...timers } = REAL;
    Object.assign(globalThis, timers);
    Date.now = now;
    performance.now = uptime;
    performance.eventLoopUtilization = utilization;
    Math.random = realRandom;
  }
}
