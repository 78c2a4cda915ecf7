import {
  isIdle,
  isParked,
  type LaneEffect,
  type LaneEvent,
  type LaneItem,
  mustBeLoaded,
  newLane,
  stepLane,
} from './lane-machine.js';

type Event = LaneEvent<string>;

const item = (place: number, attempt: number, offset: number | undefined): LaneItem<string> => ({
  place,
  attempt,
  offset,
  work: `delivery of ${place}`,
});
const first = (offset: number): Event => ({ type: 'arrived', item: item(offset, 0, offset) });
const returned = (place: number, attempt: number, offset: number): Event => ({
  type: 'arrived',
  item: item(place, attempt, offset),
});
const page = (...rows: [place: number, attempt: number][]): Event => ({
  type: 'pageRead',
  rows: rows.map(([place, attempt]) => item(place, attempt, undefined)),
});
const unreadable = (place: number, attempt: number): Event => ({
  type: 'pageRead',
  rows: [{ ...item(place, attempt, undefined), isUnreadable: true }, item(place + 1, 0, undefined)],
});
const head = (place: number, attempt: number, lowestParked?: number): Event => ({
  type: 'loaded',
  row: { place, attempt },
  lowestParked,
});
const over = (place: number, lowestParked?: number): Event => ({
  type: 'loaded',
  row: { place, attempt: undefined },
  lowestParked,
});
const expired = (place: number): Event => ({ type: 'expired', place });
const skipped = (place: number): Event => ({ type: 'skipped', item: item(place, 1, undefined) });
const UNKNOWN: Event = { type: 'loaded', row: undefined, lowestParked: undefined };
const PARKED: Event = { type: 'loaded', row: undefined, lowestParked: 1 };
const FAILED: Event = { type: 'attempted', verdict: 'retry' };
const ENDED: Event = { type: 'attempted', verdict: 'over' };
const HELD: Event = { type: 'held', isHeld: true };
const FREE: Event = { type: 'held', isHeld: false };
const SETTLED: Event = { type: 'settled' };
const HANDED: Event = { type: 'handedOver' };
const STORED: Event = { type: 'transacted' };
const REFUSED: Event = { type: 'pageRefused' };
const NAMELESS: Event = { type: 'refused', detail: 'a NUL' };
const ROOM: Event = { type: 'roomMade' };
const WITHDRAWN: Event = { type: 'withdrawn' };

/** Effects in short: places and attempts as `5/1`, records of the log as `@5`. */
function shortOf(effect: LaneEffect<string>): string {
  if (effect.type === 'transact') {
    const { row, park = [], removeUpTo, remove } = effect.transaction;
    return [
      ...(row ? [`row ${row.place}/${row.attempt ?? 'over'}`] : []),
      ...park.map(({ place, attempt }) => `park ${place}/${attempt}`),
      ...(removeUpTo === undefined ? [] : [`remove to ${removeUpTo}`]),
      ...(remove === undefined ? [] : [`remove ${remove.place}/${remove.attempt}`]),
    ].join(', ');
  }
  if (effect.type === 'load' || effect.type === 'readPage') return effect.type;
  if (effect.type === 'finish') return `finish @${effect.item.offset}${effect.isStale ? ' stale' : ''}`;
  if (effect.type === 'handOver')
    return `hand over ${effect.item.place}/${effect.attempt}${effect.isAgain ? ' again' : ''}`;
  return `${effect.type} ${effect.item.place}/${effect.item.attempt}`;
}

interface Case {
  readonly rule: string;
  /** Before; a lane that begins with what was loaded was not known. */
  readonly given: readonly Event[];
  readonly when: Event;
  readonly wants: readonly string[];
}

const ORDERED: readonly Case[] = [
  { rule: 'a flowing lane attempts at once', given: [], when: first(5), wants: ['attempt 5/0'] },
  { rule: 'one at a time', given: [first(5)], when: first(6), wants: [] },
  { rule: 'the outcome is stored first', given: [first(5), first(6)], when: ENDED, wants: ['settle 5/0'] },
  {
    rule: 'a flowing lane asks nothing of the database',
    given: [first(5), first(6), ENDED],
    when: SETTLED,
    wants: ['finish @5', 'attempt 6/0'],
  },
  {
    rule: 'a retry names its head and parks what waits',
    given: [first(5), first(6)],
    when: FAILED,
    wants: ['row 5/1, park 6/0'],
  },
  { rule: 'the row comes before the tier', given: [first(5), FAILED], when: STORED, wants: ['hand over 5/1'] },
  {
    rule: 'the tier comes before completion, and the head before its followers',
    given: [first(5), first(6), FAILED, STORED],
    when: HANDED,
    wants: ['finish @5', 'finish @6'],
  },
  {
    rule: 'a delivery that no row can name is given up',
    given: [first(5), first(6), FAILED],
    when: NAMELESS,
    wants: ['giveUp 5/0'],
  },
  {
    rule: 'and those behind it go on, in order',
    given: [first(5), first(6), first(7), FAILED, NAMELESS],
    when: SETTLED,
    wants: ['finish @5', 'attempt 6/0'],
  },
  { rule: 'what comes behind a head is parked', given: [head(5, 1)], when: first(7), wants: ['park 7/0'] },
  { rule: 'parked, then completed', given: [head(5, 1), first(7)], when: STORED, wants: ['finish @7'] },
  { rule: 'the head itself is attempted', given: [head(5, 1)], when: returned(5, 1, 8), wants: ['attempt 5/1'] },
  {
    rule: 'a return below the head is stale',
    given: [head(5, 1)],
    when: returned(4, 1, 8),
    wants: ['finish @8 stale'],
  },
  {
    rule: 'a head that has more attempts than its row is attempted: the row is older, from a restored database',
    given: [head(5, 1)],
    when: returned(5, 3, 8),
    wants: ['attempt 5/3'],
  },
  {
    rule: 'its next attempt is named by a row that goes forward',
    given: [head(5, 1), returned(5, 3, 8)],
    when: FAILED,
    wants: ['row 5/4'],
  },
  { rule: 'what is over is stale', given: [over(5)], when: first(5), wants: ['finish @5 stale'] },
  { rule: 'nothing is dropped without evidence', given: [UNKNOWN], when: first(5), wants: ['attempt 5/0'] },
  {
    rule: 'a hand-over that was cut off is made again, and nothing is sent',
    given: [head(5, 1)],
    when: first(5),
    wants: ['hand over 5/1 again'],
  },
  { rule: 'a return is not judged before its row is known', given: [], when: returned(4, 1, 9), wants: ['load'] },
  {
    rule: 'a head that is over frees its lane',
    given: [head(5, 1, 6), returned(5, 1, 8), ENDED],
    when: SETTLED,
    wants: ['row 5/over, remove to 5'],
  },
  {
    rule: 'then the lowest parked row has its turn',
    given: [head(5, 1, 6), returned(5, 1, 8), ENDED, SETTLED],
    when: STORED,
    wants: ['finish @8', 'readPage'],
  },
  { rule: 'rows of a page follow each other', given: [PARKED], when: page([6, 0], [7, 0]), wants: ['attempt 6/0'] },
  {
    rule: 'a parked row goes when its outcome is stored',
    given: [PARKED, page([6, 0], [7, 0]), ENDED],
    when: SETTLED,
    wants: ['row 6/over, remove to 6'],
  },
  {
    rule: 'no second page before the first is through',
    given: [PARKED, page([6, 0], [7, 0]), ENDED, SETTLED],
    when: STORED,
    wants: ['attempt 7/0'],
  },
  {
    rule: 'a parked row that failed goes when the tier has it, if it still is of that attempt',
    given: [PARKED, page([6, 0]), FAILED, STORED],
    when: HANDED,
    wants: ['remove 6/0'],
  },
  { rule: 'a lane drains only to its head', given: [head(5, 1, 6), FREE], when: page([6, 0]), wants: [] },
  { rule: 'a parked head is attempted', given: [head(5, 1, 5)], when: page([5, 1], [6, 0]), wants: ['attempt 5/1'] },
  { rule: 'a lane with no parked row flows', given: [PARKED, page()], when: first(9), wants: ['attempt 9/0'] },
  { rule: 'nothing is sent while held', given: [HELD], when: first(5), wants: ['park 5/0'] },
  {
    rule: 'what is in flight is named before anything is parked past it',
    given: [first(5), first(6)],
    when: HELD,
    wants: ['row 5/0, park 6/0'],
  },
  { rule: 'a held lane does not drain', given: [HELD, first(5)], when: STORED, wants: ['finish @5'] },
  { rule: 'after a hold it drains', given: [HELD, first(5), STORED], when: FREE, wants: ['readPage'] },
  {
    rule: 'a page is read again once something below it was parked',
    given: [PARKED, page([6, 0], [7, 0]), returned(5, 1, 8), STORED, ENDED, SETTLED],
    when: STORED,
    wants: ['readPage'],
  },
  { rule: 'an attempt that did not begin waits again', given: [first(5), HELD], when: WITHDRAWN, wants: ['park 5/0'] },
  {
    rule: 'what is too old is given up',
    given: [HELD, first(5), STORED, expired(5)],
    when: page([5, 0]),
    wants: ['giveUp 5/0'],
  },
  { rule: 'and nothing younger', given: [HELD, first(5), STORED, expired(4)], when: page([5, 0]), wants: [] },
  { rule: 'a head can be skipped where it waits', given: [head(5, 1)], when: skipped(5), wants: ['giveUp 5/1'] },
  { rule: 'and nothing else', given: [head(5, 1)], when: skipped(4), wants: [] },
  {
    rule: 'without a head the first parked row is skipped, also while its endpoint holds',
    given: [HELD, first(5), first(6), STORED, STORED, skipped(5)],
    when: page([5, 0], [6, 0]),
    wants: ['giveUp 5/1'],
  },
  {
    rule: 'and no other row',
    given: [HELD, first(5), first(6), STORED, STORED, skipped(6)],
    when: page([5, 0], [6, 0]),
    wants: [],
  },
  {
    rule: 'a skipped row is over, and the next one still held',
    given: [HELD, first(5), first(6), STORED, STORED, skipped(5), page([5, 0], [6, 0])],
    when: SETTLED,
    wants: ['row 5/over, remove to 5'],
  },
  {
    rule: 'what is over already is not skipped',
    given: [over(5, 6), HELD],
    when: skipped(5),
    wants: [],
  },
  {
    rule: 'a page that is refused is read once there is room',
    given: [PARKED, REFUSED],
    when: ROOM,
    wants: ['readPage'],
  },
  { rule: 'a page that is refused is not asked for again before', given: [PARKED, REFUSED], when: FREE, wants: [] },
  {
    rule: 'a lane that waits for room ends the turn of its head',
    given: [head(5, 1, 5), REFUSED, returned(5, 1, 8), ENDED],
    when: SETTLED,
    wants: ['row 5/over, remove to 5'],
  },
  { rule: 'a row that cannot be read is given up', given: [PARKED], when: unreadable(5, 0), wants: ['giveUp 5/0'] },
  {
    rule: 'a row that cannot be read is over then, and the lane goes on',
    given: [PARKED, unreadable(5, 0), SETTLED],
    when: STORED,
    wants: ['attempt 6/0'],
  },
  {
    rule: 'a head whose row cannot be read is given up, not handed over again',
    given: [head(5, 2, 5)],
    when: unreadable(5, 1),
    wants: ['giveUp 5/1'],
  },
  {
    rule: 'a row that cannot be read and is over is removed',
    given: [over(5, 5)],
    when: unreadable(5, 1),
    wants: ['remove 5/1'],
  },
  {
    rule: 'a row that cannot be read waits while its lane is held',
    given: [PARKED, HELD],
    when: unreadable(5, 0),
    wants: [],
  },
];

const UNORDERED: readonly Case[] = [
  { rule: 'a retry needs no row', given: [first(5)], when: FAILED, wants: ['hand over 5/1'] },
  { rule: 'a return is simply attempted', given: [], when: returned(5, 1, 8), wants: ['attempt 5/1'] },
  { rule: 'only holds park', given: [HELD], when: returned(5, 1, 8), wants: ['park 5/1'] },
  {
    rule: 'a repeat joins the parked row',
    given: [PARKED, page([5, 0])],
    when: returned(5, 1, 8),
    wants: ['park 5/1'],
  },
  {
    rule: 'what is over is removed, whatever its attempt',
    given: [PARKED, page([5, 0]), ENDED],
    when: SETTLED,
    wants: ['remove to 5'],
  },
  {
    rule: 'a row that cannot be read is removed',
    given: [PARKED, unreadable(5, 0)],
    when: SETTLED,
    wants: ['remove to 5'],
  },
];

function laneAfter(isOrdered: boolean, events: readonly Event[]) {
  const lane = newLane<string>(isOrdered, events[0]?.type !== 'loaded', false);
  if (events[0]?.type === 'loaded') stepLane(lane, FREE);
  for (const event of events) stepLane(lane, event);
  return lane;
}

describe('an ordered lane', () => {
  it.each(ORDERED)('$rule', ({ given, when, wants }) => {
    expect(stepLane(laneAfter(true, given), when).map(shortOf)).toEqual(wants);
  });
});

describe('an unordered lane', () => {
  it.each(UNORDERED)('$rule', ({ given, when, wants }) => {
    expect(stepLane(laneAfter(false, given), when).map(shortOf)).toEqual(wants);
  });
});

describe('a lane that is not loaded', () => {
  it('is loaded before anything is judged', () => {
    expect(stepLane(newLane<string>(true, false, false), first(5)).map(shortOf)).toEqual(['load']);
  });

  it.each([
    { given: 'rows above its head', answer: head(5, 1, 6), wants: [] },
    { given: 'a row that may be its head', answer: head(5, 1, 5), wants: ['readPage'] },
    { given: 'a row below its head, which is over', answer: head(5, 1, 4), wants: ['readPage'] },
    { given: 'rows and no head', answer: PARKED, wants: ['readPage'] },
  ])('has $given parked: then it wants $wants', ({ answer, wants }) => {
    const lane = newLane<string>(true, false, false);
    stepLane(lane, FREE);

    expect(stepLane(lane, answer).map(shortOf)).toEqual(wants);
  });

  it('ignores an answer that it does not wait for', () => {
    const lane = laneAfter(true, [head(5, 1), returned(5, 1, 8), ENDED, SETTLED, STORED]);

    stepLane(lane, head(5, 1));

    expect(lane.row).toEqual({ state: 'over', place: 5 });
  });
});

describe('an idle lane', () => {
  it.each([
    { given: 'a head', events: [head(5, 1)], parked: true, loaded: true },
    { given: 'evidence of what was read', events: [over(5)], parked: false, loaded: false },
    { given: 'evidence of what is still to be read', events: [over(9)], parked: false, loaded: true },
    { given: 'nothing', events: [UNKNOWN], parked: false, loaded: false },
  ])('with $given: parked $parked, to be loaded again $loaded', ({ events, parked, loaded }) => {
    const lane = laneAfter(true, events);

    expect([isIdle(lane), isParked(lane), mustBeLoaded(lane, 9)]).toEqual([true, parked, loaded]);
  });
});

describe('a lane that waits for room', () => {
  it('is not idle: it would be forgotten', () => {
    expect(isIdle(laneAfter(true, [PARKED, REFUSED]))).toBe(false);
  });
});

it('throws when an event does not fit: the shell is broken', () => {
  expect(() => stepLane(newLane<string>(true, true, false), SETTLED)).toThrow('idle');
  expect(() => stepLane(newLane<string>(true, true, false), STORED)).toThrow('without a transaction');
});
