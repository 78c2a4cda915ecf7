import { type Lane, type LaneEffect, type LaneEvent, stepLane } from '../lane-machine.js';
import { pageOf } from '../lane-state.js';
import type { Delivery } from './lane-delivery.js';
import type { Shape } from './lane-shape.js';

export type Step = (lane: Lane<Delivery>, event: LaneEvent<Delivery>) => LaneEffect<Delivery>[];

/** Flaws of the machine, planted around it. */
const FLAWED = {
  'finishes before the tier has it': (lane, event) => {
    const effects = stepLane(lane, event);
    const isRetry = event.type === 'attempted' && event.verdict === 'retry';
    if (isRetry && lane.turn) effects.push({ type: 'finish', item: lane.turn.item, isStale: false });
    return effects;
  },
  'finishes before it is parked': (lane, event) => {
    const effects = stepLane(lane, event);
    const parked = effects.flatMap((effect) => (effect.type === 'transact' ? (effect.transaction.park ?? []) : []));
    for (const item of parked) effects.push({ type: 'finish', item, isStale: false });
    return effects;
  },
  'parks past what is in flight': (lane, event) =>
    stepLane(lane, event).map((effect) => {
      const isNaming = effect.type === 'transact' && effect.transaction.row?.attempt === lane.turn?.item.attempt;
      const park = isNaming ? effect.transaction.park : undefined;
      return park ? { type: 'transact', transaction: { park } } : effect;
    }),
  'drains past the head': (lane, event) => {
    const { row } = lane;
    if (event.type !== 'pageRead' || typeof row !== 'object' || row.state !== 'head') return stepLane(lane, event);
    lane.row = 'none';
    const effects = stepLane(lane, event);
    if (lane.row === 'none') lane.row = row;
    return effects;
  },
  'keeps a page over what is parked below it': (lane, event) => {
    const isParking = lane.pending?.kind === 'parking' && pageOf(lane) !== undefined;
    return isParking ? withoutFirstChange(lane, () => stepLane(lane, event)) : stepLane(lane, event);
  },
  'takes a hand-over that was cut off for stale': (lane, event) => {
    const effects = stepLane(lane, event);
    const isAgain = effects.some((effect) => effect.type === 'handOver' && effect.isAgain);
    return isAgain
      ? [...effects.filter(({ type }) => type !== 'handOver'), ...stepLane(lane, { type: 'handedOver' })]
      : effects;
  },
  'judges a return without the row': (lane, event) => {
    if (lane.row === 'unread') lane.row = 'none';
    return stepLane(lane, event);
  },
  'does not hear of holds': (lane, event) =>
    event.type === 'held' ? stepLane(lane, { ...event, isHeld: false }) : stepLane(lane, event),
} satisfies Record<string, Step>;

/** Runs a step in which the first change of what is known of the parked rows is lost. */
function withoutFirstChange<Result>(lane: Lane<Delivery>, step: () => Result): Result {
  let { parked } = lane;
  let isFirst = true;
  const set = (changed: typeof parked) => {
    if (!isFirst) parked = changed;
    isFirst = false;
  };
  Object.defineProperty(lane, 'parked', { get: () => parked, set, configurable: true, enumerable: true });
  const result = step();
  Object.defineProperty(lane, 'parked', { value: parked, writable: true, configurable: true, enumerable: true });
  return result;
}

/** Flaws of what surrounds the machine; the simulated database and owner ask for them by name. */
const ELSEWHERE = [
  'blind insert',
  'conflict keeps the old',
  'row goes back',
  'removes a later attempt',
  'no evidence',
  'no fence',
  'replay keeps its place',
  'forgets that a lane is parked',
  'forgets what was over at the start',
  'forgets what is over and read again',
  'believes a transaction before it is stored',
  'does not repeat what may have failed',
  'commits what is not finished',
] as const;

export type Bug = keyof typeof FLAWED | (typeof ELSEWHERE)[number];

/** Planted on purpose: a referee that does not find each of them is of no use. */
export const BUGS: readonly Bug[] = [...(Object.keys(FLAWED) as (keyof typeof FLAWED)[]), ...ELSEWHERE];

type ShapeChange = Partial<Omit<Shape, 'faults'>> & { readonly faults?: Partial<Shape['faults']> };

/** Some flaws show once in thousands of histories of any shape; these are the shapes in which they show sooner. */
export const WHERE_IT_SHOWS: Partial<Record<Bug, ShapeChange>> = {
  'parks past what is in flight': { readSteps: 20 },
  'keeps a page over what is parked below it': {
    ...{ resources: 1, hasUnordered: false, deliveriesPerResource: 6, pageSize: 3, attemptFails: 500 },
    ...{ readSteps: 0, faultPermille: 80 },
    faults: { hold: 2, crash: 0, loss: 0, expire: 0, skip: 0 },
  },
  'blind insert': { statementLate: 700, answerLost: 150 },
  'no fence': { faults: { loss: 8 } },
  'forgets what was over at the start': { commitSteps: 50, faults: { crash: 3, loss: 3, hold: 12 } },
  'forgets what is over and read again': { commitSteps: 50, faults: { crash: 3, loss: 3, hold: 12 } },
};

/** The lane machine, or one with the flaw. */
export function stepWith(bug: Bug | undefined): Step {
  const flawed: Partial<Record<string, Step>> = FLAWED;
  return (bug && flawed[bug]) ?? stepLane;
}
