import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * The echo receiver: prints requests and answers 200, or misbehaves as the path says. `npm run echo -- 4011` runs
 * another one.
 *
 *   /fail/500      answers that status, always
 *   /flaky/2       answers 503 to the first 2 attempts of a delivery
 *   /slow/2000     waits that many milliseconds
 *   /busy/10       answers 429 with that Retry-After to the first attempt
 *
 * `curl -X PUT 127.0.0.1:4010/mode/503` makes every path answer 503 until `PUT /mode/200`.
 */

const port = Number(process.argv[2] ?? 4010);
const host = process.argv[3] ?? '127.0.0.1';
/** Most requests printed per second; further ones are counted. */
const PRINTED_PER_SECOND = 20;
const MAX_BODY_PRINTED = 2_000;

let mode = 200;
let printed = 0;
let unprinted = 0;

/** @type {Record<string, (argument: number, attempt: number) => Promise<Answer> | Answer>} */
const BEHAVIOURS = {
  fail: (status) => ({ status }),
  flaky: (failures, attempt) => ({ status: attempt <= failures ? 503 : 200 }),
  busy: (seconds, attempt) =>
    attempt > 1 ? { status: 200 } : { status: 429, headers: { 'retry-after': String(seconds) } },
  slow: async (milliseconds) => {
    await delay(milliseconds);
    return { status: 200 };
  },
};

/** @typedef {{ status: number, headers?: Record<string, string> }} Answer */

const server = createServer(async (request, response) => {
  const [, word = '', text = ''] = new URL(request.url ?? '/', 'http://echo').pathname.split('/');
  const argument = Number(text);
  if (request.method === 'GET') return void response.end('Send me a webhook.\n');
  if (request.method === 'PUT' && word === 'mode' && isStatus(argument)) {
    mode = argument;
    return void response.end(`answering ${mode}\n`);
  }
  const body = await read(request);
  const attempt = Number(request.headers['webhook-attempt'] ?? 1);
  const behave = mode === 200 ? BEHAVIOURS[word] : undefined;
  const { status, headers } = (await behave?.(argument, attempt)) ?? { status: mode };
  print(request, body, status);
  response.writeHead(isStatus(status) ? status : 200, headers).end();
});

/** @param {number} status */
function isStatus(status) {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/** @param {import('node:http').IncomingMessage} request */
async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {string} body
 * @param {number} status
 */
function print(request, body, status) {
  if (++printed > PRINTED_PER_SECOND) {
    unprinted++;
    return;
  }
  const time = new Date().toISOString().slice(11, 23);
  const headers = Object.entries(request.headers).filter(([name]) => /^(webhook-|idempotency-key)/.test(name));
  const lines = [
    `${time} ${request.method} ${request.url} → ${status}`,
    ...headers.map(([name, value]) => `  ${name}: ${value}`),
    `  ${body.slice(0, MAX_BODY_PRINTED)}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

setInterval(() => {
  if (unprinted > 0) process.stdout.write(`  … and ${unprinted} more in this second\n`);
  printed = 0;
  unprinted = 0;
}, 1_000);

// The reader of the output may end first.
process.stdout.on('error', () => undefined);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(0));
server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(port, host, () => process.stdout.write(`The echo receiver listens on http://${host}:${port}\n`));
