import { type Bug, WHERE_IT_SHOWS } from './lane-bugs.js';
import { type Shape, shapeOf } from './lane-shape.js';
import { World } from './lane-world.js';
import { Random } from './random.js';

/**
 * Lives through the history of a seed; the same seed gives the same history for as long as the simulation is not changed.
 *
 * @param isTold keeps the story, step by step
 */
export function live(seed: number, { bug, isTold = false }: { bug?: Bug; isTold?: boolean } = {}): World {
  const random = new Random(seed);
  const world = new World(shaped(shapeOf(random), bug), random, bug, isTold);
  try {
    world.run();
  } catch (error) {
    world.referee.fault(`threw: ${error instanceof Error ? error.message : String(error)}`);
  }
  return world;
}

/** What went wrong in the history of a seed, with its story. */
export function story(seed: number, bug?: Bug): string {
  const world = live(seed, { ...(bug ? { bug } : {}), isTold: true });
  return [`history ${seed}`, JSON.stringify(world.shape), ...world.story].join('\n');
}

function shaped(shape: Shape, bug: Bug | undefined): Shape {
  const change = bug && WHERE_IT_SHOWS[bug];
  return change ? { ...shape, ...change, faults: { ...shape.faults, ...change.faults } } : shape;
}
