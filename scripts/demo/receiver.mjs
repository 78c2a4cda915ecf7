import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';

/**
 * What the receiver tells about one request, over the channel to the process that started it.
 *
 * @typedef {object} Arrival
 * @property {string} endpoint its name
 * @property {string} eventId
 * @property {string | null} resourceId
 * @property {number} sequence
 * @property {number} attempt
 * @property {number} at when the request was complete, ms since the epoch
 * @property {number} status the answer
 */

/** @typedef {{ listening: number } | { arrival: Arrival } | { forged: string }} Told */

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const SLOW_MS = 1_000;
const FLAKY_RATE = 0.3;

/**
 * How each endpoint answers a request that is signed well.
 *
 * @type {Record<string, () => number | Promise<number>>}
 */
const ANSWERS = {
  healthy: () => 204,
  'healthy too': () => 204,
  flaky: () => (Math.random() < FLAKY_RATE ? 500 : 204),
  slow: () => delay(SLOW_MS, 204),
  dead: () => 500,
};

/** Secrets by endpoint, told once the endpoints exist. */
const verifiers = new Map();

process.on('message', (/** @type {{ secrets: Record<string, string> }} */ { secrets }) => {
  for (const [endpoint, secret] of Object.entries(secrets)) verifiers.set(endpoint, new Webhook(secret));
  process.send?.({ ready: true });
});
process.on('disconnect', () => process.exit());
// Ctrl-C goes to the whole group; the demo still needs the receiver until its endpoints are deleted.
process.on('SIGINT', () => undefined);

const server = createServer(async (request, response) => {
  response.writeHead(await answer(request)).end();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') tell({ listening: address.port });
});

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<number>} the status
 */
async function answer(request) {
  const endpoint = decodeURIComponent(request.url?.slice(1) ?? '');
  const reply = ANSWERS[endpoint];
  if (reply === undefined) return 404;
  const body = await readBody(request);
  const at = performance.timeOrigin + performance.now();
  const event = verified(endpoint, body, request.headers);
  if (event === undefined) return 401;
  const status = await reply();
  const attempt = Number(request.headers['webhook-attempt']);
  const { id: eventId, resource_id: resourceId, sequence } = event;
  tell({ arrival: { endpoint, eventId, resourceId, sequence, attempt, at, status } });
  return status;
}

/**
 * @param {string} endpoint
 * @param {string} body
 * @param {import('node:http').IncomingHttpHeaders} headers
 * @returns {any} the parsed body, or undefined when the signature is not right
 */
function verified(endpoint, body, headers) {
  try {
    return verifiers.get(endpoint).verify(body, headers);
  } catch (error) {
    tell({ forged: `${endpoint}: ${error instanceof Error ? error.message : error}` });
    return undefined;
  }
}

/** @param {import('node:http').IncomingMessage} request */
async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** @param {Told} told */
function tell(told) {
  process.send?.(told);
}
