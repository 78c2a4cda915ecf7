import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Positions } from '#common/domain/positions.js';
import { hopFor } from '#common/domain/tier.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import { Database } from '#common/postgres/database.js';
import { LaneCommands } from '#common/postgres/lane-commands.js';
import { LaneLimits } from '#common/postgres/lane-limits.js';
import { LaneStore } from '#common/postgres/lane-store.js';
import { migrate } from '#common/postgres/migrate.js';
import type { DeliveryMeta } from '#common/records/delivery-record.js';
import type { TurnTaker } from '../../apps/dispatcher/src/attempts/turns.js';
import type { Delivery } from '../../apps/dispatcher/src/deliveries/delivery.js';
import type { EndpointDirectory } from '../../apps/dispatcher/src/endpoints/endpoint-directory.js';
import type { Gates } from '../../apps/dispatcher/src/endpoints/gates.js';
import type { Drainer } from '../../apps/dispatcher/src/lanes/drainer.js';
import type { LaneCollaborators } from '../../apps/dispatcher/src/lanes/lane-collaborators.js';
import { LaneJournal } from '../../apps/dispatcher/src/lanes/lane-journal.js';
import { LogLanes } from '../../apps/dispatcher/src/lanes/log-lanes.js';
import type { LogOwners } from '../../apps/dispatcher/src/lanes/log-owners.js';
import { ParkedLaneKeeper } from '../../apps/dispatcher/src/lanes/parked-lane-keeper.js';
import { ReadAhead } from '../../apps/dispatcher/src/lanes/read-ahead.js';
import '../support/quiet.js';
import { freshDatabase, type TestDatabase } from '../support/servers.js';
import { until } from '../support/until.js';

let server: TestDatabase;
let database: Database;
/** One instance for all tests: its metric is global to the process. */
let readAhead: ReadAhead;

beforeAll(async () => {
  server = await freshDatabase();
  await migrate(server.url);
  readAhead = new ReadAhead({ endpointQueue: 100, slowAfterMs: 1_000, bytes: 1_000_000 });
  database = new Database({ url: server.url, poolSize: 4, applicationName: 'test' });
});
afterAll(async () => {
  await database.close();
  await server.drop();
});

/** The lanes of one log, with a reduced dispatcher: attempts fail, or are held. */
class Dispatcher implements Omit<LaneCollaborators, 'readAhead'> {
  readonly attempted: number[] = [];
  readonly done: number[] = [];
  readonly givenUp: string[] = [];
  /** Headers of the dead letters' deliveries, by offset. */
  readonly givenUpHeaders = new Map<number, Delivery['headers']>();
  readonly handedOver: number[] = [];
  readonly own: LogLanes;
  held = false;
  verdict: 'over' | 'retry' = 'over';

  private constructor(
    readonly log: FencedLog,
    readonly name: string,
    journal: LaneJournal,
  ) {
    const { holds, turns, unfinished } = this;
    this.own = new LogLanes(name, log, new Positions(0), journal, { holds, turns, unfinished, readAhead });
  }

  static async start(partition: number): Promise<Dispatcher> {
    const lost = new AbortController().signal;
    const log = { topic: 'deliveries', partition, partitions: 64, lost, start: 0 } as FencedLog;
    const name = `deliveries/${partition}`;
    const store = new LaneStore(database);
    const epoch = await store.raiseEpoch(await store.epochOf(name));
    return new Dispatcher(log, name, new LaneJournal(store, epoch, lost, () => undefined));
  }

  arrive(offset: number, over: { lane?: string; meta?: Partial<DeliveryMeta>; headers?: Record<string, Buffer> } = {}) {
    const { lane = 'ep_1:r1', meta, headers = {} } = over;
    const whole = {
      deliveryId: `dlv_${offset}`,
      eventId: `e${offset}`,
      endpointId: 'ep_1',
      tenant: 't',
      eventType: 'a',
    };
    const life = { attempt: 0, replay: 0, acceptedAt: 1, returned: false, place: offset };
    this.own.arrived({
      ...{ log: this.log, offset, lane, body: Buffer.from('{}'), headers, isReplay: false, parkedAt: undefined },
      ...{ bagIndex: 0, meta: { ...whole, ...life, dueAt: undefined, tierUntil: undefined, ...meta } },
    } as Delivery);
  }

  hold(isHeld: boolean): void {
    this.held = isHeld;
    this.own.hold('ep_1', isHeld);
  }

  readonly holds: LaneCollaborators['holds'] = { holdOf: () => (this.held ? 'paused' : undefined) };

  readonly turns: LaneCollaborators['turns'] = {
    request: (delivery: Delivery, _isProbe: boolean, lane: TurnTaker) => {
      this.attempted.push(delivery.offset);
      const hop = this.verdict === 'retry' ? hopFor(60_000, Date.now()) : undefined;
      setImmediate(() => lane.ended({ records: [], hop }));
    },
    store: async ({ offset }, end) => void (end !== 'repeat' && end.hop && this.handedOver.push(offset)),
    giveUp: async ({ offset, headers }, { reason, detail }) => {
      this.givenUp.push(`${offset} ${reason}: ${detail}`);
      this.givenUpHeaders.set(offset, headers);
    },
    handOverAgain: () => Promise.resolve(),
  };

  readonly unfinished: LaneCollaborators['unfinished'] = { finish: ({ offset }) => void this.done.push(offset) };
}

const NUL = `a${String.fromCharCode(0)}b`;
let partition = 0;
let one: Dispatcher;
beforeEach(async () => {
  one = await Dispatcher.start(partition++);
});
const parkedOf = async (of: Dispatcher) =>
  (
    await database.query<{ place: number }>('SELECT place FROM parked_deliveries WHERE log = $1 ORDER BY place', [
      of.name,
    ])
  ).map(({ place }) => place);

describe('lanes with a parked row that cannot be read', () => {
  const spoil = (place: number, column: string, value: string) =>
    database.query(`UPDATE parked_deliveries SET ${column} = $3 WHERE log = $1 AND place = $2`, [
      one.name,
      place,
      value,
    ]);

  it('given rows with malformed headers, then they are given up, and the others are attempted', async () => {
    one.hold(true);
    for (const place of [1, 2, 3, 4, 5]) one.arrive(place);
    one.arrive(6, { lane: 'dlv_6' });
    await until('all are parked', () => one.done.length === 6);
    await spoil(1, 'header', 'junk');
    await spoil(3, 'extra_headers', '["x"]');
    await spoil(5, 'header', '');
    await spoil(6, 'header', '1\n2');

    one.hold(false);
    one.own.wake('ep_1:r1', 'ep_1');
    one.own.wake('dlv_6', 'ep_1');
    await until('nothing is parked', async () => (await parkedOf(one)).length === 0);
    expect(one.attempted).toEqual([2, 4]);
    expect(one.givenUp.map((text) => text.split(' ')[0]).sort()).toEqual(['1', '3', '5', '6']);
  });

  it('given the malformed row of a head, then it is given up, and its followers are attempted', async () => {
    one.hold(true);
    one.arrive(1);
    one.arrive(2);
    await until('both are parked', () => one.done.length === 2);
    await spoil(1, 'header', 'junk');
    await database.query(
      `INSERT INTO lane_rows (log, lane, endpoint_id, place, attempt, delivery_id, updated_at)
       VALUES ($1, 'ep_1:r1', 'ep_1', 1, 1, '', now())`,
      [one.name],
    );

    one.hold(false);
    one.own.toLoad.add('ep_1:r1');
    one.own.wake('ep_1:r1', 'ep_1');
    await until('nothing is parked', async () => (await parkedOf(one)).length === 0);
    expect([one.attempted, one.givenUp.length]).toEqual([[2], 1]);
  });
});

describe('lanes with a delivery that PostgreSQL cannot store', () => {
  it.each([
    { given: 'a NUL in its delivery id', over: { meta: { deliveryId: NUL } } },
    { given: 'a NUL in its packed header', over: { meta: { eventId: NUL } } },
    { given: 'attempts out of range', over: { meta: { attempt: 2 ** 31 } } },
  ])(
    'given $given and a hold, then the delivery is a dead letter, and the others of the lane are parked',
    async ({ over }) => {
      one.hold(true);
      one.arrive(1);
      one.arrive(2, over);
      one.arrive(3);
      one.arrive(4, { lane: 'ep_1:r2' });
      await until('all are finished', () => one.done.length === 4);
      expect(one.givenUp).toEqual([
        expect.stringMatching(/^2 unrecoverable: the database cannot store the delivery: /),
      ]);
      expect(await parkedOf(one)).toEqual([1, 3, 4]);

      one.hold(false);
      one.own.wake('ep_1:r1', 'ep_1');
      one.own.wake('ep_1:r2', 'ep_1');
      await until('the rest is drained, in order', () => one.attempted.length === 3);
      expect(one.attempted.filter((place) => place !== 4)).toEqual([1, 3]);
      await until('nothing is parked', async () => (await parkedOf(one)).length === 0);
    },
  );

  it('given a lane whose name has a NUL, then all its deliveries are dead letters, and other lanes continue', async () => {
    one.hold(true);
    one.arrive(1, { lane: `ep_1:${NUL}` });
    one.arrive(2, { lane: `ep_1:${NUL}` });
    one.arrive(3, { lane: 'ep_1:r2' });
    await until('all are finished', () => one.done.length === 3);
    expect(one.givenUp).toHaveLength(2);
    expect(await parkedOf(one)).toEqual([3]);
  });

  it('given a failing delivery that cannot be stored as the head, then it is a dead letter, and its followers are attempted', async () => {
    one.verdict = 'retry';
    one.arrive(1, { lane: `ep_1:${NUL}` });
    one.arrive(2, { lane: 'ep_1:r2' });
    await until('both are finished', () => one.done.length === 2);
    expect(one.givenUp).toEqual([expect.stringMatching(/^1 unrecoverable/)]);
    expect(one.handedOver).toEqual([2]);
  });

  it('given a failing delivery with a NUL in its id, then its lane keeps its order without that id', async () => {
    one.verdict = 'retry';
    one.arrive(1, { meta: { deliveryId: NUL } });
    one.arrive(2);
    await until('both are finished', () => one.done.length === 2);
    expect([one.givenUp, one.handedOver]).toEqual([[], [1]]);
    expect(await parkedOf(one)).toEqual([2]);
    const rows = await database.query('SELECT place, attempt, delivery_id FROM lane_rows WHERE log = $1', [one.name]);
    expect(rows).toEqual([{ place: 1, attempt: 1, delivery_id: '' }]);
  });

  it('given a return on a lane whose name has a NUL, then it is decided without a lane row', async () => {
    one.arrive(5, { lane: `ep_1:${NUL}`, meta: { returned: true, place: 3, attempt: 1 } });
    await until('it is finished', () => one.done.length === 1);
    expect(one.attempted).toEqual([5]);
  });
});

describe('lanes of which an operator skips a parked delivery', () => {
  let keeper: ParkedLaneKeeper;
  beforeEach(() => {
    keeper = new ParkedLaneKeeper(
      { all: () => [one.own], checkEpochs: async () => undefined } as unknown as LogOwners,
      { recordOf: () => undefined, wasDeleted: () => false, halfOpen: () => [] } as unknown as EndpointDirectory,
      { holdOf: () => 'paused' } as unknown as Gates,
      { start: () => undefined } as unknown as Drainer,
      new LaneLimits(database),
      new LaneCommands(database),
    );
    keeper.onApplicationBootstrap();
  });
  afterEach(() => keeper.onModuleDestroy());

  it('given headers of its record, then its dead letter has them, and the others stay parked', async () => {
    one.hold(true);
    one.arrive(1, { headers: { traceparent: Buffer.from('00-a'), own: Buffer.from('x') } });
    one.arrive(2);
    await until('both are parked', () => one.done.length === 2);

    const [row] = await database.query<{ header: string; body: Buffer }>(
      'SELECT header, body FROM parked_deliveries WHERE log = $1 AND place = 1',
      [one.name],
    );
    const { header, body } = row ?? { header: '', body: Buffer.alloc(0) };
    await new LaneCommands(database).ask(one.name, { lane: 'ep_1:r1', place: 1, attempt: 0, header, body });

    await until('the first is removed', async () => (await parkedOf(one)).join() === '2');
    expect(one.givenUp).toEqual(['1 unrecoverable: skipped by an operator']);
    expect({ ...one.givenUpHeaders.get(1) }).toEqual({ traceparent: Buffer.from('00-a'), own: Buffer.from('x') });
  });
});
