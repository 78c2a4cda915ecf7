import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { watchLoopLag } from '../loop-lag.ts';
import { percentiles } from '../percentiles.ts';
import type { Arrivals, Arrived, Expect, Report } from './messages.ts';

/*
 * The endpoints of the benchmark of backlogs, in a process of their own: /<number of the endpoint>. Event ids end in `-<number
 * of the event>`. It replies to `count`, a Report, and an Expect.
 */

const FAILED = 1;
const ACCEPTED = 2;
/** The rate leaves this share out at both ends: the start of apps, and the last retries. */
const EDGE_SHARE = 0.05;

let expected: Expect = { endpoints: 0, events: 0 };
/** By endpoint and event: the answers so far. */
let answers: Uint8Array[] = [];
/** ms since the epoch, in order. */
let arrivedAt: number[] = [];
/** By endpoint, ms since the epoch; 0 without an arrival. */
let lastAt = new Float64Array();
let failed = 0;
let repeats = 0;
const lag = watchLoopLag();

const server = createServer((request, response) => {
  request.resume().on('end', () => answer(request, response));
});

function answer({ url = '', headers }: IncomingMessage, response: ServerResponse) {
  const endpoint = Number(url.slice(1));
  const id = String(headers['webhook-id']);
  const event = Number(id.slice(id.lastIndexOf('-') + 1));
  const ofEndpoint = answers[endpoint];
  const before = ofEndpoint?.[event];
  // A late request of an earlier scene.
  if (ofEndpoint === undefined || before === undefined) return response.writeHead(204).end();
  const now = Date.now();
  const { failUntil = 0 } = expected;
  const status = now < failUntil ? FAILED : ACCEPTED;
  if (before >= status) repeats++;
  else if (status === FAILED) failed++;
  else {
    arrivedAt.push(now);
    lastAt[endpoint] = now;
  }
  ofEndpoint[event] = Math.max(before, status);
  if (status === ACCEPTED) return response.writeHead(204).end();
  return response.writeHead(503, { 'retry-after': new Date(failUntil).toUTCString() }).end();
}

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', 4_096, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ listening: address.port });
});

function expect(next: Expect): Arrived {
  expected = next;
  answers = Array.from({ length: next.endpoints }, () => new Uint8Array(next.events));
  arrivedAt = [];
  lastAt = new Float64Array(next.endpoints);
  failed = 0;
  repeats = 0;
  lag();
  return { accepted: 0, failed };
}

function arrivals({ sinceMs }: Report): Arrivals {
  const since = (times: Iterable<number>) => percentiles(Array.from(times, (time) => time - sinceMs));
  const edge = Math.floor(arrivedAt.length * EDGE_SHARE);
  const [from = 0, to = 0] = [arrivedAt[edge], arrivedAt[arrivedAt.length - 1 - edge]];
  return {
    accepted: arrivedAt.length,
    failed,
    repeats,
    arrivedMs: since(arrivedAt),
    lastOfEndpointMs: since(lastAt.filter((time) => time > 0)),
    perSecond: Math.round(((arrivedAt.length - 2 * edge) * 1_000) / Math.max(1, to - from)),
    lag: lag(),
  };
}

process.on('message', (message: 'count' | { expect: Expect } | { report: Report }) => {
  if (message === 'count') process.send?.({ accepted: arrivedAt.length, failed });
  else if ('expect' in message) process.send?.(expect(message.expect));
  else process.send?.(arrivals(message.report));
});
process.on('disconnect', () => process.exit());
