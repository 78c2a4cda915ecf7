import { Random } from '#common/domain/testing/random.js';
import { STRIKES } from './faults.js';
import type { Flaw } from './flaws.js';
import { unrest } from './rest.js';
import { shapeOf } from './shape.js';
import { inVirtualTime } from './virtual-globals.js';
import { BEGINNING, Host, VirtualTime } from './virtual-time.js';
import { World } from './world.js';

/** Virtual time within which the world is at rest after the last fault. */
const REST_LIMIT_MS = 600_000;
const REST_CHECK_MS = 1_000;

interface Telling {
  readonly flaw?: Flaw | undefined;
  /** Whether to keep the story, step by step. */
  readonly isTold?: boolean;
}

/**
 * Runs the history of a seed. The same seed gives the same history, until the code of simulation or product changes.
 * Must be called from a callback of the event loop, not from a promise: see VirtualTime.
 */
export function live(seed: number, { flaw, isTold = false }: Telling = {}): World {
  const random = new Random(seed);
  const shape = { ...shapeOf(random), ...flaw?.shape };
  const time = new VirtualTime(new Host('world'));
  const mend = flaw?.plant?.();
  try {
    return inVirtualTime(time, random, () => {
      const world = new World(shape, { time, random, flaw, isTold });
      liveIn(world);
      return world;
    });
  } finally {
    mend?.();
  }
}

/** Violations in the history of a seed, with its story. */
export function story(seed: number, flaw?: Flaw): string {
  const world = live(seed, { flaw, isTold: true });
  return [`history ${seed}`, JSON.stringify(world.shape), ...world.story].join('\n');
}

/** An uncaught error would end a process of the product. */
function liveIn(world: World): void {
  const isThrown = (error: unknown) =>
    world.referee.fault(`threw: ${error instanceof Error ? error.stack : String(error)}`);
  process.on('unhandledRejection', isThrown);
  try {
    sufferFaults(world);
    comeToRest(world);
  } catch (error) {
    isThrown(error);
  } finally {
    process.off('unhandledRejection', isThrown);
  }
}

/** The safety phase: faults occur, and the referee checks every step. */
function sufferFaults(world: World): void {
  const { time, shape, referee } = world;
  for (const { fault, atMs } of shape.faults) {
    if (atMs < shape.faultyMs) time.after(atMs, () => STRIKES[fault](world));
  }
  const end = BEGINNING + shape.faultyMs;
  while (time.now < end && referee.violations.length === 0 && time.step());
}

/** The liveness phase: without faults, every delivery is over within a limit of time, and no state is left. */
function comeToRest(world: World): void {
  const { time, referee } = world;
  if (referee.violations.length > 0) return;
  world.calm();
  const deadline = time.now + REST_LIMIT_MS + world.skewMs;
  for (let next = time.now; referee.violations.length === 0 && time.step(); ) {
    if (time.now < next) continue;
    next = time.now + REST_CHECK_MS;
    const left = unrest(world);
    if (left.length === 0) return;
    if (left.every((what) => what.startsWith('the breaker'))) world.sendCanaries();
    if (time.now >= deadline) for (const what of left) referee.fault(`stuck: ${what}`);
  }
}
