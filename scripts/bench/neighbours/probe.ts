import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { watchLoopLag } from '../loop-lag.ts';
import { eventValue } from '../throughput/event.ts';
import { HttpDoor } from '../throughput/http-door.ts';
import { MOST_LATE_MS, type Watched, type WatchedLoad } from './messages.ts';

/*
 * The probe: publishes the watched events over HTTP, and is their endpoint. Both ends have one clock, and a process of
 * their own, so that load and neighbours do not delay its measurement. The reply to a WatchedLoad is a Watched.
 */

const TICK_MS = 2;
const POLL_MS = 20;
/** Requests to the API in flight. Beyond it, events wait to be published. */
const MOST_REQUESTS = 500;
const RESOURCES = 1_000;

const publishedAt = new Map<string, number>();
const arrivedAt = new Map<string, number>();
let repeats = 0;
const lag = watchLoopLag();

const server = createServer((request, response) => {
  const now = Date.now();
  request.resume().on('end', () => {
    const id = String(request.headers['webhook-id']);
    if (arrivedAt.has(id)) repeats++;
    else if (publishedAt.has(id)) arrivedAt.set(id, now);
    response.writeHead(204).end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ listening: address.port });
});

async function watch(load: WatchedLoad): Promise<Watched> {
  publishedAt.clear();
  arrivedAt.clear();
  repeats = 0;
  lag();
  const door = new HttpDoor(load.ingestPort, load.apiKey);
  const refused = await publish(door, load);
  const endedAt = Date.now();
  while (arrivedAt.size < publishedAt.size && Date.now() < endedAt + MOST_LATE_MS) await delay(POLL_MS);
  door.close();
  const arrivals = [...publishedAt].map(([id, at]) => ({ id, publishedAt: at, arrivedAt: arrivedAt.get(id) }));
  const { size: published } = publishedAt;
  return { published, refused, arrivals, repeats, endedAt, stoppedAt: Date.now(), lag: lag() };
}

/** @returns the number of events that the API refused */
async function publish(door: HttpDoor, load: WatchedLoad) {
  const { type, tenant, perSecond, seconds } = load;
  const startedAt = performance.now();
  const requests = new Set<Promise<void>>();
  let refused = 0;
  const total = perSecond * seconds;
  for (let number = 0; number < total; ) {
    const due = Math.min(total, ((performance.now() - startedAt) / 1_000) * perSecond);
    for (; number < due && requests.size < MOST_REQUESTS; number++) {
      const id = `${type}-${number}`;
      const at = Date.now();
      publishedAt.set(id, at);
      const resource = load.resource ?? `w${number % RESOURCES}`;
      const request: Promise<void> = door
        .publish(eventValue({ id, type, tenant, resource, at }))
        .catch(() => {
          publishedAt.delete(id);
          refused++;
        })
        .finally(() => requests.delete(request));
      requests.add(request);
    }
    await delay(TICK_MS);
  }
  await Promise.all(requests);
  return refused;
}

process.on('message', (load: WatchedLoad) => void watch(load).then((watched) => process.send?.(watched)));
process.on('disconnect', () => process.exit());
