import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { Pool } from 'undici';
import { deliveredBody } from './event.ts';

/*
 * The raw loop: a process that only signs and POSTs the same requests, over keep-alive connections. Body and headers
 * are those of a delivery, so the receiver's work is equal. The other measurements are relative to it.
 *
 * Arguments: port of the receiver, seconds, and the way to sign. `plain` passes the bytes of the secret to each call.
 * `fastest` creates a key object once, as Posthorn does.
 */

const CONNECTIONS = 64;
/** Warm-up time, not counted: code is compiled, connections are opened. */
const WARM_UP_MS = 800;

const [port, seconds] = process.argv.slice(2, 4).map(Number);
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
const secret = randomBytes(32);
const key = process.argv[4] === 'fastest' ? createSecretKey(secret) : secret;
const countsFrom = performance.now() + WARM_UP_MS;
const endsAt = countsFrom + Number(seconds) * 1_000;
let done = 0;
let counted = 0;
let failed = 0;
let underWay = 0;

function post() {
  const id = `raw-${done}`;
  const body = Buffer.from(deliveredBody({ id, type: 'bench.raw', resource: 'r1', at: Date.now() }));
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  const headers = [
    ...['content-type', 'application/json', 'user-agent', 'raw-loop/1.0', 'webhook-id', id],
    ...['webhook-timestamp', timestamp, 'webhook-signature', `v1,${signature}`],
    ...['idempotency-key', id, 'webhook-attempt', '1'],
  ];
  underWay++;
  pool.dispatch({ path: '/raw', method: 'POST', headers, body }, handler);
}

function next() {
  underWay--;
  if (performance.now() < endsAt) post();
  else if (underWay === 0) report();
}

const ignore = () => undefined;
const handler = {
  onRequestStart: ignore,
  onResponseStart: ignore,
  onResponseData: ignore,
  onResponseEnd() {
    done++;
    if (performance.now() >= countsFrom) counted++;
    next();
  },
  onResponseError() {
    failed++;
    next();
  },
};

function report() {
  process.send?.({ perSecond: counted / Number(seconds), failed });
  process.disconnect();
  void pool.close();
}

for (let connection = 0; connection < CONNECTIONS; connection++) post();
