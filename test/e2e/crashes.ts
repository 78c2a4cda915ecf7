import { runSql } from '../../scripts/lib/postgres.mjs';
import { accountOf, Load, type LoadedEvent } from '../support/load.js';
import { always, type Hook, type Script } from '../support/receiver.js';
import { until } from '../support/until.js';
import type { SystemInUse } from '../support/use-system.js';

const RESOURCES = 100;
const EVERY_MS = 1_000;
/** Response time below the pause between events of a resource, so that some attempts are always in flight. */
const SLOW_MS = 250;
const POSTGRES_AWAY_MS = 10_000;
/** Most repeats after a kill: attempts in flight or finished within the last commit interval, with a margin. */
const MOST_REPEATS = 200;
/** Far below a consumer's session of 45 s: no process may wait for the session of a killed member. */
const READY_LIMIT_MS = 30_000;
const APPS = ['ingest', 'control', 'dispatcher', 'retry-scheduler'];

/** The tests depend on one another: under steady traffic, one process after the other is killed. */
export function whatSurvivesKills(use: SystemInUse): void {
  let load: Load;
  let steady: Hook;
  let slow: Hook;
  let flaky: Hook;
  let endpointIds: string[];
  /** Number of acknowledged events, from the first, that were delivered. */
  let checked = 0;

  beforeAll(async () => {
    steady = use.receiver.hook(always(200));
    slow = use.receiver.hook(() => ({ status: 200, afterMs: SLOW_MS }));
    flaky = use.receiver.hook(failingOnce);
    const retried = { event_types: ['load.retried'], retry_policy: { delays_s: [2, 2, 2] } };
    endpointIds = [
      await use.client.createEndpoint(steady, { event_types: ['load.*'] }),
      await use.client.createEndpoint(slow, { event_types: ['load.*'], max_in_flight: 64 }),
      await use.client.createEndpoint(flaky, retried),
    ];
    const typeOf = (number: number) => (number % 10 === 1 ? 'load.retried' : 'load.made');
    load = new Load(use.client, { resources: RESOURCES, everyMs: EVERY_MS, typeOf });
    await load.more(3 * RESOURCES);
  }, 60_000);
  afterAll(() => load?.stop(), 60_000);

  /** Work in flight of each app: a kill of an idle app would prove nothing. */
  const underWay: Record<string, () => number> = {
    ingest: () => load.unanswered,
    control: () => slow.open,
    dispatcher: () => slow.open,
    'retry-scheduler': () => waitingForRetry(flaky),
  };

  it.each(APPS)('given %s is killed with work in flight, then it is restarted, and delivery continues', async (app) => {
    const hasWork = underWay[app] ?? (() => 0);
    await until(`${app} has work under way`, () => hasWork() > 0);

    const before = { failures: load.failures, repeats: repeatsOf(slow) };
    const { back } = use.system.killOne(app);

    expect(hasWork()).toBeGreaterThan(0);
    await back;
    await load.more(RESOURCES);
    await delivered();
    if (app === 'ingest') expect(load.failures).toBeGreaterThan(before.failures);
    if (app === 'dispatcher') expect(repeatsOf(slow)).toBeGreaterThan(before.repeats);
  });

  it('given Kafka is killed, then publishing fails and no app is ready; when Kafka is back, delivery continues', async () => {
    await until('attempts are under way', () => slow.open > 0);

    await use.system.withoutServer('kafka', 'SIGKILL', async () => {
      const event = { type: 'load.refused', data: null };
      const { status, headers } = await postEvent(event);
      expect({ status, retryAfter: headers.get('retry-after') }).toEqual({
        status: 503,
        retryAfter: expect.any(String),
      });
      for (const app of APPS) await until(`${app} says it is not ready`, async () => (await ready(app)) === 503);
      for (const app of APPS) expect(await health(app, 'live')).toBe(200);
    });

    for (const app of APPS)
      await until(`${app} is ready again`, async () => (await ready(app)) === 200, READY_LIMIT_MS);
    await load.more(RESOURCES);
    await delivered();
  });

  it('given PostgreSQL is away for 10 s, then publishing succeeds, and waiting events are delivered afterwards', async () => {
    const before = { count: load.acknowledged.length, failures: load.failures };

    await use.system.withoutServer('postgres', 'SIGINT', async () => {
      const until10s = Date.now() + POSTGRES_AWAY_MS;
      await until('control says it is not ready', async () => (await ready('control')) === 503);
      await until('10 s are over', () => Date.now() >= until10s);
      for (const app of ['ingest', 'dispatcher', 'retry-scheduler'])
        expect({ app, ready: await ready(app) }).toEqual({ app, ready: 200 });
    });

    const published = load.acknowledged.length - before.count;
    expect(published).toBeGreaterThan((POSTGRES_AWAY_MS / EVERY_MS) * RESOURCES * 0.9);
    expect(load.failures).toBe(before.failures);
    await until('control is ready again', async () => (await ready('control')) === 200, READY_LIMIT_MS);
    await delivered();
  });

  it('when the load ends, then every endpoint got every acknowledged event, in order, with few repeats', async () => {
    await load.stop();
    await delivered();

    const retried = load.acknowledged.filter(({ type }) => type === 'load.retried');
    const accounts = {
      steady: accountOf(steady, load.acknowledged),
      slow: accountOf(slow, load.acknowledged),
      flaky: accountOf(flaky, retried, 2),
    };
    const right = { missing: [], disorder: [], overlaps: [], repeats: expect.any(Number) };
    expect(accounts).toEqual({ steady: right, slow: right, flaky: right });
    const repeats = Object.values(accounts).reduce((sum, account) => sum + account.repeats, 0);
    expect(repeats).toBeLessThanOrEqual(MOST_REPEATS);
    for (const { headers, event } of [...steady.hits, ...slow.hits, ...flaky.hits]) {
      expect(headers['webhook-id']).toBe(event.id);
    }
  });

  it('when all is delivered, then the history shows each delivery as delivered', async () => {
    const retried = load.acknowledged.filter(({ type }) => type === 'load.retried').length;
    const expected = 2 * load.acknowledged.length + retried;
    const statement = `SELECT status, count(*)::int FROM deliveries WHERE event_type LIKE 'load.%' GROUP BY status`;
    const byStatus = () => runSql(use.system.run.database_url, statement);

    await until(
      'all outcomes are written',
      async () => (await byStatus()).some(({ count }) => count === expected),
      60_000,
    );

    expect(await byStatus()).toEqual([{ status: 'delivered', count: expected }]);
    for (const id of endpointIds) expect(await use.client.deadLetters({ endpoint_id: id })).toEqual([]);
  });

  /** Waits until every endpoint accepted its events that were acknowledged before this call. */
  async function delivered(): Promise<void> {
    const goal = load.acknowledged.length;
    const takersOf = ({ type }: LoadedEvent) => (type === 'load.retried' ? [steady, slow, flaky] : [steady, slow]);
    const isDelivered = (event: LoadedEvent) => takersOf(event).every(({ accepted }) => accepted.has(event.id));
    const isAll = () => {
      const { acknowledged } = load;
      const open = acknowledged.slice(checked, goal).findIndex((event) => !isDelivered(event));
      checked = open < 0 ? goal : checked + open;
      return checked === goal;
    };
    await until('everything acknowledged is delivered', isAll, 90_000).catch((error: Error) => {
      const missing = load.acknowledged.slice(checked, goal).filter((event) => !isDelivered(event));
      throw new Error(`${error.message}: ${missing.length} are missing, e.g. ${missing[0]?.id}`);
    });
  }

  const ready = (app: string) => health(app, 'ready');

  async function health(app: string, which: 'live' | 'ready'): Promise<number> {
    return (await fetch(new URL(`/health/${which}`, use.system.run.metrics_urls[app]))).status;
  }

  function postEvent(event: object): Promise<Response> {
    const headers = { authorization: `Bearer ${use.system.run.api_key}`, 'content-type': 'application/json' };
    return fetch(`${use.system.run.ingest_url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(event) });
  }
}

/** The first attempt of every event fails. */
const failingOnce: Script = ({ event }, hook) => ({ status: hook.hitsOf(event.id).length === 1 ? 500 : 200 });

/** Deliveries that failed and are not accepted yet. */
function waitingForRetry({ hits, accepted }: Hook): number {
  return hits.filter(({ event }) => !accepted.has(event.id)).length;
}

/** Events of a hook that answers every request 200. */
function repeatsOf({ hits, accepted, open }: Hook): number {
  return hits.length - accepted.size - open;
}
