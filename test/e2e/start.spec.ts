import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { jest } from '@jest/globals';
import type { EventInput } from '../support/client.js';
import { accountOf, Load } from '../support/load.js';
import { Receiver } from '../support/receiver.js';
import { type RunningSystem, SystemHome } from '../support/system.js';
import { itWith } from '../support/tool.js';
import { until } from '../support/until.js';

const STOP_LIMIT_MS = 15_000;
const APPS = ['control', 'dispatcher', 'ingest', 'retry-scheduler'];
const SERVICES = [...APPS, 'echo', 'kafka', 'postgres', 'supervisor'];

jest.setTimeout(180_000);

/** Steady traffic of 20 resources to an endpoint at a separate receiver. */
async function loaded(system: RunningSystem) {
  const { run } = system;
  const receiver = await Receiver.start();
  const hook = receiver.hook(() => ({ status: 200, afterMs: 5 }));
  const created = await system.request(`${run.control_url}/v1/endpoints`, { url: hook.url, event_types: ['load.*'] });
  hook.secret = (created.body as { secret: string }).secret;
  const publish = async (event: EventInput) => {
    const { status } = await system.request(`${run.ingest_url}/v1/events`, event);
    if (status !== 202) throw new Error(`answered ${status}`);
  };
  // The router reads a new endpoint with a delay. Events published before would not match it.
  let probes = 0;
  const isKnown = async () => {
    await publish({ id: `probe-${++probes}`, type: 'load.probe', data: {} });
    return hook.hits.length > 0;
  };
  await until('the router knows the endpoint', isKnown);
  const options = { resources: 20, everyMs: 200, typeOf: () => 'load.made' };
  const load = new Load({ publish, publishByKafka: publish }, options);
  return { hook, load, stop: () => receiver.stop() };
}

/** The tests depend on one another: the system is started, used, crashed, restarted and stopped. */
describe('npm start', () => {
  let home: SystemHome;
  let system: RunningSystem;
  let endpointId: string;

  beforeAll(async () => {
    home = await SystemHome.create();
    system = await home.start();
  });
  afterAll(async () => {
    if (system.hasRunFile) await system.stop();
    home.remove();
  });

  it('given a start, then every log line of an app is JSON, with level and app by name', () => {
    for (const app of APPS) {
      const lines = readFileSync(home.file(`logs/${app}.log`), 'utf8')
        .trim()
        .split('\n');
      const levels = new Set(lines.map((line) => JSON.parse(line)).map(({ level, app: name }) => `${name}: ${level}`));
      expect([...levels]).toContain(`${app}: info`);
      expect([...levels].filter((entry) => !/^[a-z-]+: (trace|debug|info|warn|error|fatal)$/.test(entry))).toEqual([]);
    }
  });

  it('given a start, then run.json has the addresses of all services', () => {
    const port = (name: string) => Number(home.env[name]);
    const { run } = system;

    expect(run).toEqual({
      ingest_url: `http://127.0.0.1:${port('INGEST_PORT')}`,
      control_url: `http://127.0.0.1:${port('CONTROL_PORT')}`,
      echo_url: `http://127.0.0.1:${port('ECHO_PORT')}`,
      api_key: expect.stringMatching(/^ph_[0-9a-z]{8}_[A-Za-z0-9_-]{43}_[0-9a-f]{6}$/),
      kafka_brokers: [`127.0.0.1:${port('KAFKA_PORT')}`],
      database_url: expect.stringMatching(`^postgres://posthorn:.+@127.0.0.1:${port('POSTGRES_PORT')}/posthorn$`),
      metrics_urls: {
        ingest: `http://127.0.0.1:${port('INGEST_PORT')}/metrics`,
        control: `http://127.0.0.1:${port('CONTROL_PORT')}/metrics`,
        dispatcher: `http://127.0.0.1:${port('DISPATCHER_PORT')}/metrics`,
        'retry-scheduler': `http://127.0.0.1:${port('RETRY_SCHEDULER_PORT')}/metrics`,
      },
      pids: Object.fromEntries(SERVICES.map((name) => [name, expect.any(Number)])),
    });
    expect(new Set(Object.values(run.pids)).size).toBe(SERVICES.length);
  });

  it.each(APPS)('given a start, then %s is live and ready', async (app) => {
    const metricsUrl = system.run.metrics_urls[app] ?? '';
    for (const path of ['/health/live', '/health/ready']) {
      expect((await fetch(new URL(path, metricsUrl))).status).toBe(200);
    }
  });

  itWith('promtool', 'prometheus')('given their metrics, then promtool has nothing to say', async () => {
    for (const [app, url] of Object.entries(system.run.metrics_urls)) {
      const input = await (await fetch(url)).text();
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
      expect({ app, status, said: stdout + stderr }).toEqual({ app, status: 0, said: '' });
    }
  });

  it('given an endpoint at the echo receiver, when an event is published, then the receiver prints it', async () => {
    const url = `${system.run.echo_url}/hook`;
    const endpoint = await system.request(`${system.run.control_url}/v1/endpoints`, {
      url,
      event_types: ['invoice.*'],
    });
    expect(endpoint).toMatchObject({ status: 201, body: { id: expect.any(String) } });
    endpointId = (endpoint.body as { id: string }).id;

    // The router reads a new endpoint with a delay. A first event may come before.
    let published = 0;
    const isPrinted = async () => {
      const event = { id: `evt-first-${++published}`, type: 'invoice.paid', data: { amount: 1 } };
      expect(await system.request(`${system.run.ingest_url}/v1/events`, event)).toMatchObject({ status: 202 });
      await delay(500);
      return system.output.includes('webhook-id: evt-first');
    };
    await until('the echo prints an event', isPrinted, 60_000);
  });

  it('given a running system, when it is started or reset again, then both are rejected', async () => {
    expect(await home.runToEnd('start')).toMatchObject({ code: 1, output: expect.stringMatching(/already runs in/) });
    expect(await home.runToEnd('reset')).toMatchObject({ code: 1, output: expect.stringMatching(/Stop it first/) });
  });

  it('given an app that is killed, then the supervisor restarts it', async () => {
    const before = system.run.pids.dispatcher ?? 0;
    process.kill(before, 'SIGKILL');

    await until('the dispatcher is back', () => system.output.includes('dispatcher is back'), 60_000);

    expect(system.run.pids.dispatcher).not.toBe(before);
    expect(system.output).toContain('dispatcher ended (ended by SIGKILL)');
  });

  it('given all processes killed, when the system is started again, then its data are unchanged', async () => {
    const { api_key: key } = system.run;
    await system.crash();

    system = await home.start();

    expect(system.run.api_key).toBe(key);
    const endpoint = await system.request(`${system.run.control_url}/v1/endpoints/${endpointId}`);
    expect(endpoint).toMatchObject({ status: 200, body: { event_types: ['invoice.*'] } });
  });

  it('given only the supervisor killed under load, when it is started again, then the other processes stop in order, without repeats', async () => {
    const { supervisor, ...others } = system.run.pids;
    const { hook, load, stop } = await loaded(system);
    await until('events are delivered', () => hook.accepted.size > 200, 60_000);
    process.kill(Number(supervisor), 'SIGKILL');
    const before = hook.accepted.size;
    await until('they are delivered without it', () => hook.accepted.size > before + 200, 60_000);

    system = await home.start();
    await load.stop();
    const missing = () => accountOf(hook, load.acknowledged).missing;
    await until('all are delivered', () => missing().length === 0, 60_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${missing().length} of ${load.acknowledged.length}, e.g. ${missing()[0]}`);
    });
    await stop();
    const published = load.acknowledged.map(({ id }) => id);

    const repeated = published.filter((id) => hook.hitsOf(id).filter(({ status }) => status === 200).length > 1);
    expect(repeated).toEqual([]);

    expect(system.output).toContain('End what a killed run left behind');
    expect(Object.values(system.run.pids)).not.toEqual(expect.arrayContaining(Object.values(others)));
    const event = { id: 'evt-second', type: 'invoice.paid', data: { amount: 2 } };
    expect(await system.request(`${system.run.ingest_url}/v1/events`, event)).toMatchObject({ status: 202 });
    await until('the echo prints it', () => system.output.includes('webhook-id: evt-second'), 60_000);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('given %s to npm, then all processes end in time', async (signal) => {
    if (!system.hasRunFile) system = await home.start();

    const { tookMs } = await system.stop(signal);

    expect(tookMs).toBeLessThan(STOP_LIMIT_MS);
    expect(system.hasRunFile).toBe(false);
  });

  it('given Ctrl-C at a terminal, which npm forwards again, then all processes end in order', async () => {
    if (!system.hasRunFile) system = await home.start();

    await system.stopAtTerminal();

    const log = readFileSync(home.file('logs/postgres.log'), 'utf8');
    expect(log.trimEnd()).toMatch(/database system is shut down$/);
    expect(system.hasRunFile).toBe(false);
  });

  it('given a port in use, then the error names the port and its variable', async () => {
    const port = Number(home.env.CONTROL_PORT);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));

    const { code, output } = await home.runToEnd('start');

    other.close();
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining(`port ${port} (CONTROL_PORT)`) });
  });

  it('given no Java, then the error names the package to install, and the alternative', async () => {
    const { code, output } = await home.runToEnd('start', { JAVA_HOME: '/nowhere' });

    expect(code).toBe(1);
    for (const way of ['Java 17', 'apt-get install', 'docker compose up', 'KAFKA_BROKERS='])
      expect(output).toContain(way);
  });

  it('given a reset, then the next start has a new API key', async () => {
    const { code } = await home.runToEnd('reset');

    expect({ code, hasSecrets: home.has('secrets.json') }).toEqual({ code: 0, hasSecrets: false });
  });
});
