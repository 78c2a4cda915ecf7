import type { Flaw } from './flaws.js';
import { live, story } from './history.js';
import { emptyTally, type Tally } from './referee.js';

export interface Plan {
  /** Seed of the first history; further histories use the following seeds. */
  readonly seed: number;
  /** Limits; the first one reached ends the run. */
  readonly seconds: number;
  readonly histories: number;
  /** Called periodically with the progress. */
  readonly say: (line: string) => void;
  readonly flaw?: Flaw;
}

export interface Lived {
  readonly histories: number;
  readonly virtualMs: number;
  readonly tally: Tally;
  /** The first history with a violation. */
  readonly failed: { readonly seed: number; readonly violations: readonly string[] } | undefined;
}

const SAY_EVERY_MS = 10_000;
const TURN_MS = 200;

/** Runs histories until one has a violation, or a limit is reached. */
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

/** Runs one history. @returns its story */
export async function storyOf(seed: number, flaw?: Flaw): Promise<string> {
  let text = '';
  await inTurn(() => {
    text = story(seed, flaw);
  });
  return text;
}

function liveOne({ seed: first, flaw }: Plan, lived: { -readonly [Name in keyof Lived]: Lived[Name] }): void {
  const seed = first + lived.histories;
  const { referee, passedMs } = live(seed, { flaw });
  lived.histories++;
  lived.virtualMs += passedMs;
  for (const name of Object.keys(lived.tally) as (keyof Tally)[]) lived.tally[name] += referee.tally[name];
  if (referee.violations.length > 0) lived.failed = { seed, violations: referee.violations };
}

/** Runs work in a callback of the event loop, as histories require. */
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
