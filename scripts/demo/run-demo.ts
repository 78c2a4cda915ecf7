import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunFile } from '../lib/run-file.mjs';
import { UserError } from '../lib/settings.mjs';
import { openDoors } from './doors.ts';
import { ControlApi, ENDPOINTS } from './endpoints.ts';
import { type DemoEvent, githubEvents, PAYLOADS } from './github-events.ts';
import { ReceiverProcess } from './receiver-process.ts';
import { disorder, missing, type Row, table } from './report.ts';
import { Tally } from './tally.ts';

/** Longest wait for the next arrival after the last publish: longer than any delay between two attempts. */
const PATIENCE_MS = 45_000;
/** Wait after the last delivery, in which duplicates would arrive. */
const SETTLE_MS = 1_000;
const PROGRESS_EVERY_MS = process.stdout.isTTY ? 200 : 5_000;

const say = (text: string) => process.stdout.write(text);

/**
 * @param events number of events; undefined publishes each payload once
 * @returns exit code: 1 when an event is missing or out of order, or a signature is wrong
 */
export async function runDemo(run: RunFile, events: number | undefined): Promise<number> {
  const name = `demo-${randomBytes(4).toString('hex')}`;
  const control = new ControlApi(run.control_url, run.api_key, name);
  const receiver = new ReceiverProcess();
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort(new UserError('\ninterrupted')));
  receiver.once('ended', () => stopping.abort(new UserError('the receiver ended by itself')));
  const ids: Record<string, string> = {};
  try {
    await register(control, receiver, ids);
    const count = events ?? PAYLOADS.length;
    return await demonstrate({ run, name, count, control, receiver, ids, signal: stopping.signal });
  } finally {
    receiver.removeAllListeners('ended');
    for (const id of Object.values(ids)) await control.delete(id);
    receiver.stop();
  }
}

/** @param ids receives the id of each created endpoint, so that the caller can delete them after an error, too */
async function register(control: ControlApi, receiver: ReceiverProcess, ids: Record<string, string>) {
  const url = await receiver.listening();
  const secrets: Record<string, string> = {};
  for (const endpoint of ENDPOINTS) {
    const { id, secret } = await control.create(endpoint, url);
    ids[endpoint.name] = id;
    secrets[endpoint.name] = secret;
  }
  await receiver.useSecrets(secrets);
}

async function demonstrate({
  run,
  name,
  count,
  control,
  receiver,
  ids,
  signal,
}: {
  run: RunFile;
  /** Name of this run: its tenant, and the prefix of its event ids. */
  name: string;
  count: number;
  control: ControlApi;
  receiver: ReceiverProcess;
  ids: Record<string, string>;
  signal: AbortSignal;
}) {
  const tally = new Tally(ENDPOINTS.map((endpoint) => endpoint.name));
  const forged: string[] = [];
  receiver.on('arrival', (arrival) => tally.arrive(arrival));
  receiver.on('forged', (what) => forged.push(what));
  const dead: Record<string, number> = {};
  const rows = () =>
    ENDPOINTS.map((endpoint) => {
      return { ...endpoint, ...tally.score(endpoint.name), expected: count, dead: dead[endpoint.name] ?? 0 };
    });
  const progress = setInterval(() => showProgress(tally.published, rows()), PROGRESS_EVERY_MS);
  try {
    await publish({ events: githubEvents(count, name), run, tenant: name, tally, signal });
    let last = { left: '', at: Date.now() };
    for (let left = missing(rows()); left.length > 0 && Date.now() < last.at + PATIENCE_MS; left = missing(rows())) {
      if (String(left) !== last.left) last = { left: String(left), at: Date.now() };
      await delay(500, undefined, { signal });
      for (const [endpoint, id] of Object.entries(ids)) dead[endpoint] = await control.countDead(id);
    }
    await delay(SETTLE_MS, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(progress);
    if (process.stdout.isTTY) say('\r\x1b[K');
  }
  return tellResult(rows(), forged);
}

async function publish({
  events,
  run,
  tenant,
  tally,
  signal,
}: {
  events: DemoEvent[];
  run: RunFile;
  tenant: string;
  tally: Tally;
  signal: AbortSignal;
}) {
  const { doors, close } = await openDoors({
    ingestUrl: run.ingest_url,
    apiKey: run.api_key,
    brokers: run.kafka_brokers,
    topicPrefix: process.env.KAFKA_TOPIC_PREFIX ?? '',
    tenant,
  });
  say(`${events.length} events, by turns through: ${doors.map((door) => door.name).join(' · ')}\n`);
  const startedAt = Date.now();
  try {
    for (const [index, event] of events.entries()) {
      signal.throwIfAborted();
      tally.publish(event.id, performance.timeOrigin + performance.now());
      await doors[index % doors.length]?.publish(event);
    }
  } finally {
    await close();
  }
  const seconds = (Date.now() - startedAt) / 1_000;
  if (process.stdout.isTTY) say('\r\x1b[K');
  say(`published and acknowledged, one after the other, in ${seconds.toFixed(1)} s; waiting for the last delivery\n`);
}

function showProgress(published: number, rows: readonly Row[]) {
  const parts = rows.map((row) => `${row.name} ${row.mustGetAll ? row.delivered : `${row.dead} given up`}`);
  const line = `published ${published}  →  ${parts.join(' · ')}`;
  say(process.stdout.isTTY ? `\r\x1b[K${line.slice(0, (process.stdout.columns ?? 120) - 1)}` : `${line}\n`);
}

function tellResult(rows: readonly Row[], forged: readonly string[]) {
  const problems = [...missing(rows), ...disorder(rows), ...forged.map((what) => `signature: ${what}`)];
  say(`\n${table(rows)}\n
latency: from the producer's call to the arrival of the request that was answered 2xx
out of order: first delivered after a later event of its resource\n`);
  if (problems.length === 0) say('\nEvery event reached every endpoint that can take it; every signature was right.\n');
  else process.stderr.write(`\n${problems.slice(0, 20).join('\n')}\n`);
  return problems.length === 0 ? 0 : 1;
}
