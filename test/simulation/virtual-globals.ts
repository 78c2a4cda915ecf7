import type { Random } from '#common/domain/testing/random.js';
import { BEGINNING, type Moment, type VirtualTime } from './virtual-time.js';

const REAL = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, now: Date.now, random: Math.random };
const uptime = performance.now;
const utilization = performance.eventLoopUtilization;
/** Nobody is ever too busy here. */
const IDLE = { idle: 1, active: 0, utilization: 0 };

/** Whole numbers a random one is made of. */
const GRAINS = 2 ** 32;

/**
 * Puts a history's time and chance where the product looks for them, until `run` is over. What runs inside must not
 * await anything of the outside.
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
