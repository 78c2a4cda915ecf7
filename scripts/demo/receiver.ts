import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';

/** One request, reported by IPC to the parent process. */
export interface Arrival {
  /** Its name. */
  readonly endpoint: string;
  readonly eventId: string;
  readonly resourceId: string | null;
  readonly sequence: number;
  readonly attempt: number;
  /** Time at which the request was complete, ms since the epoch. */
  readonly at: number;
  /** Response status. */
  readonly status: number;
}

/** The fields of a delivery that the demo counts by. */
interface DeliveredEvent {
  readonly id: string;
  readonly resource_id: string | null;
  readonly sequence: number;
}

type Report = { listening: number } | { arrival: Arrival } | { forged: string };

const MAX_BODY_BYTES = 2 * 1024 * 1024;
const SLOW_MS = 1_000;
const FLAKY_RATE = 0.3;

/** Each endpoint's answer to a request with a valid signature. */
const ANSWERS: Record<string, () => number | Promise<number>> = {
  healthy: () => 204,
  'healthy too': () => 204,
  flaky: () => (Math.random() < FLAKY_RATE ? 500 : 204),
  slow: () => delay(SLOW_MS, 204),
  dead: () => 500,
};

/** Verifiers by endpoint, filled once the endpoints exist. */
const verifiers = new Map<string, Webhook>();

process.on('message', ({ secrets }: { secrets: Record<string, string> }) => {
  for (const [endpoint, secret] of Object.entries(secrets)) verifiers.set(endpoint, new Webhook(secret));
  process.send?.({ ready: true });
});
process.on('disconnect', () => process.exit());
// Ctrl-C goes to the whole process group. The demo needs the receiver until its endpoints are deleted.
process.on('SIGINT', () => undefined);

const server = createServer(async (request, response) => {
  response.writeHead(await answer(request)).end();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') report({ listening: address.port });
});

/** @returns the status */
async function answer(request: IncomingMessage): Promise<number> {
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
  report({ arrival: { endpoint, eventId, resourceId, sequence, attempt, at, status } });
  return status;
}

/** @returns the parsed body; undefined for a wrong signature */
function verified(endpoint: string, body: string, headers: IncomingHttpHeaders): DeliveredEvent | undefined {
  try {
    const verifier = verifiers.get(endpoint);
    if (verifier === undefined) throw new Error('its secret is not known');
    return verifier.verify(body, headers as Record<string, string>) as DeliveredEvent;
  } catch (error) {
    report({ forged: `${endpoint}: ${error instanceof Error ? error.message : error}` });
    return undefined;
  }
}

async function readBody(request: IncomingMessage) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function report(message: Report) {
  process.send?.(message);
}
