import type { Flaw } from './flaws.js';
import { live, story } from './history.js';
import { emptyTally, type Tally } from './referee.js';

export interface Plan {
  /** Of the first history; the others follow. */
  readonly seed: number;
  /** Ends with the first of these. */
  readonly seconds: number;
  readonly histories: number;
  /** Told about every so often. */
  readonly say: (line: string) => void;
  readonly flaw?: Flaw;
}

export interface Lived {
  readonly histories: number;
  readonly virtualMs: number;
  readonly tally: Tally;
  /** The first history in which something broke. */
  readonly failed: { readonly seed: number; readonly violations: readonly string[] } | undefined;
}

const SAY_EVERY_MS = 10_000;
const TURN_MS = 200;

/** Lives through one history after the other, until one breaks something, the time is over, or there were enough. */
export async function simulate(plan: Plan): Promise<Lived> {
  const began = performance.now();
  const lived = { histories: 0, virtualMs: 0, tally: emptyTally(), failed: undefined as Lived['failed'] };
  const isOver = () =>
    lived.failed || lived.histories >= plan.histories || performance.now() - began >= plan.seconds * 1_000;
  for (let said = began; !isOver(); ) {
    await inTurn(() => {
      const end = performance.now() + TURN_MS;
      do liveOne(plan, lived);
      while (!isOver() && performance.now() < end);
    });
    if (performance.now() - said < SAY_EVERY_MS) continue;
    said = performance.now();
    plan.say(progress(lived, said - began));
  }
  plan.say(progress(lived, performance.now() - began));
  return lived;
}

/** The whole story of one history. */
export async function tell(seed: number, flaw?: Flaw): Promise<string> {
  let told = '';
  await inTurn(() => {
    told = story(seed, flaw);
  });
  return told;
}

function liveOne({ seed: first, flaw }: Plan, lived: { -readonly [Name in keyof Lived]: Lived[Name] }): void {
  const seed = first + lived.histories;
  const { referee, passedMs } = live(seed, { flaw });
  lived.histories++;
  lived.virtualMs += passedMs;
  for (const name of Object.keys(lived.tally) as (keyof Tally)[]) lived.tally[name] += referee.tally[name];
  if (referee.violations.length > 0) lived.failed = { seed, violations: referee.violations };
}

/** Runs in a callback of the event loop, where histories are at home. */
export function inTurn(run: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        run();
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
}

function progress({ histories, virtualMs, tally }: Lived, passedMs: number): string {
  const perMinute = Math.round((histories / passedMs) * 60_000);
  const hours = (virtualMs / 3_600_000).toFixed(1);
  const counts = Object.entries(tally).map(([name, count]) => `${count} ${name}`);
  return `${Math.round(passedMs / 1_000)} s: ${histories} histories (${perMinute} a minute), ${hours} h of virtual time; ${counts.join(', ')}`;
}
