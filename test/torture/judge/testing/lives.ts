import fc from 'fast-check';
import type { FindingKind, Verdict } from '../verdict.js';
import type { History, MadeEvent } from './history.js';

/** Outcome of an event: number of failed attempts before the delivery; with four it is dead. */
export interface Fate {
  readonly resource: string;
  readonly failures: number;
}

/** Of a delivery; the last failure kills it. */
const ATTEMPTS = 4;

/** Events of a few resources. */
export const fates = (): fc.Arbitrary<Fate[]> =>
  fc.array(fc.record({ resource: fc.constantFrom('a', 'b', 'c'), failures: fc.integer({ min: 0, max: 4 }) }), {
    minLength: 2,
    maxLength: 25,
  });

/** A number of healthy events of one resource. */
export function healthy(count: number): Fate[] {
  return Array.from({ length: count }, () => ({ resource: 'a', failures: 0 }));
}

/** Generates the evidence of a correct system: events behind a failure of their resource are parked. */
export function live(history: History, events: readonly Fate[]): MadeEvent[] {
  const made = events.map(({ resource }) => history.publish(resource));
  for (const event of made) history.route(event);
  for (const [index, event] of made.entries()) {
    const failures = events[index]?.failures ?? 0;
    const followers = made.slice(index + 1).filter(({ resource }) => resource === event.resource);
    for (let failed = 0; failed < Math.min(failures, ATTEMPTS - 1); failed++) {
      history.fail(event);
      for (const follower of failed === 0 ? followers : []) history.park(follower);
      history.sample();
      history.bringBack(event);
    }
    if (failures < ATTEMPTS) history.deliver(event);
    else history.die(event);
    history.unpark(event);
    history.sample();
  }
  return made;
}

/** @returns kinds of all findings */
export function kindsOf({ promises }: Verdict): Set<FindingKind> {
  return new Set(Object.values(promises).flatMap(({ findings }) => findings.map(({ kind }) => kind)));
}
