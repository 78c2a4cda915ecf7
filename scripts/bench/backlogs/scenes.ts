import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../lib/until.mjs';
import { readMetrics } from '../app-metrics.ts';
import { inPortions } from '../endpoints.ts';
import { Watch } from '../samples.ts';
import type { Ground } from './ground.ts';
import type { Arrivals } from './messages.ts';

/** What one backlog did. */
export interface Drained {
  readonly expected: number;
  readonly arrivals: Arrivals;
  /** Peak memory of each app in MiB, from the first event on. */
  readonly rssMb: Record<string, number>;
  /** Seconds until the backlog was there. */
  readonly filledS: number;
  /** Further figures of this scene. */
  readonly figures: Record<string, number>;
}

const LIVE_EVENTS = 50_000;
const WARM_UP_EVENTS = 25_000;
/** Most events of the live flow that have not arrived. */
const MOST_LIVE_WINDOW = 10_000;
const LIVE_POLL_MS = 20;
const PORTION = 500;
const ROUTED_ENDPOINTS = 10;
const RESOURCES = 1_000;
const ROUTED = { resources: RESOURCES, isFannedOut: false };
const EVENTS_OF_LANE = 5;
/** Time for a pause to reach the dispatcher. */
const PAUSED_AFTER_MS = 3_000;
const TIERED_ENDPOINTS = 100;
/** Time from the first event to the common due time, and for so many failures a second in addition. */
const LEAST_WAIT_MS = 20_000;
const LEAST_FAILURES_PER_S = 1_500;
const LIMIT_MS = 1_800_000;
const POLL_MS = 500;

/** @param scale of the number of deliveries */
export type Scene = (ground: Ground, scale: number) => Promise<Drained>;

/** A million events wait in `ingest` while no router runs. Each goes to one of ten endpoints. */
export async function inIngest(ground: Ground, scale: number): Promise<Drained> {
  // A cold system would make the live rate, and so the goal, too low.
  await liveRate(ground, WARM_UP_EVENTS);
  const live = await liveRate(ground, LIVE_EVENTS);
  const expected = Math.round(1_000_000 * scale);
  const { ids, flood } = await ground.prepare({ endpoints: ROUTED_ENDPOINTS, events: expected }, ROUTED);
  const ingest = ground.system.apps.get('ingest')?.server;
  await ingest?.stop();
  const startedAt = performance.now();
  await flood.burst(expected);
  const filledS = secondsSince(startedAt);
  await ingest?.start();
  const watch = new Watch(ground.system);
  const readyAt = Date.now();
  await ground.settled(({ accepted }) => accepted >= expected);
  const arrivals = await ground.arrivals(readyAt);
  const { rssMb } = await watch.stop();
  await ground.remove(ids);
  const share = Number((arrivals.perSecond / Math.max(1, live)).toFixed(2));
  return { expected, arrivals, rssMb, filledS, figures: { live_per_s: live, of_live: share } };
}

/** @returns deliveries per second while events flow through all apps at once */
async function liveRate(ground: Ground, events: number): Promise<number> {
  const { ids, flood } = await ground.prepare({ endpoints: ROUTED_ENDPOINTS, events }, ROUTED);
  const startedAt = Date.now();
  while (flood.sent < events) {
    await flood.burst(Math.min(PORTION, events - flood.sent));
    await ground.settled(({ accepted }) => flood.sent <= accepted + MOST_LIVE_WINDOW, LIVE_POLL_MS);
  }
  await ground.settled(({ accepted }) => accepted >= events);
  const { perSecond } = await ground.arrivals(startedAt);
  await ground.remove(ids);
  return perSecond;
}

/** Half a million deliveries are parked for a thousand paused endpoints, which are all resumed at once. */
export async function parked(ground: Ground, scale: number): Promise<Drained> {
  const endpoints = Math.round(1_000 * Math.sqrt(scale));
  const events = Math.round(500 * Math.sqrt(scale));
  const expected = endpoints * events;
  const traffic = { resources: Math.ceil(events / EVENTS_OF_LANE), isFannedOut: true };
  const { ids, flood } = await ground.prepare({ endpoints, events }, traffic);
  await inPortions(ids, (id) => ground.system.call('control', 'POST', `/v1/endpoints/${id}/pause`));
  await delay(PAUSED_AFTER_MS);
  const watch = new Watch(ground.system);
  const startedAt = performance.now();
  await flood.burst(events);
  const count = async () => (await readMetrics(ground.system.port('control')))('posthorn_parked_deliveries');
  await until('all are parked', async () => (await count()) >= expected, { timeoutMs: LIMIT_MS, everyMs: POLL_MS });
  const filledS = secondsSince(startedAt);
  const resumedAt = Date.now();
  await inPortions(ids, (id) => ground.system.call('control', 'POST', `/v1/endpoints/${id}/resume`));
  const resumingS = (Date.now() - resumedAt) / 1_000;
  await ground.settled(({ accepted }) => accepted >= expected);
  const arrivals = await ground.arrivals(resumedAt);
  const { rssMb } = await watch.stop();
  await ground.remove(ids);
  return { expected, arrivals, rssMb, filledS, figures: { endpoints, resuming_s: resumingS } };
}

/** 200 000 deliveries fail once, and are all due at the same second. */
export async function inTiers(ground: Ground, scale: number): Promise<Drained> {
  const expected = Math.round(200_000 * scale);
  const dueAt = Math.ceil(Date.now() / 1_000) * 1_000 + LEAST_WAIT_MS + (expected * 1_000) / LEAST_FAILURES_PER_S;
  const failUntil = Math.ceil(dueAt / 1_000) * 1_000;
  const settings = { ordering: 'none', retry_policy: { delays_s: [4, 4, 4], cap_s: 3_600 } };
  const traffic = { settings, resources: RESOURCES, isFannedOut: false };
  const { ids, flood } = await ground.prepare({ endpoints: TIERED_ENDPOINTS, events: expected, failUntil }, traffic);
  const watch = new Watch(ground.system);
  const startedAt = performance.now();
  await flood.burst(expected);
  await ground.settled(({ failed }) => failed >= expected || Date.now() >= failUntil);
  const filledS = secondsSince(startedAt);
  const { failed } = await ground.count();
  await delay(Math.max(0, failUntil - Date.now()));
  await ground.settled(({ accepted }) => accepted >= expected);
  const arrivals = await ground.arrivals(failUntil);
  const { rssMb } = await watch.stop();
  await ground.remove(ids);
  return { expected, arrivals, rssMb, filledS, figures: { failed, endpoints: TIERED_ENDPOINTS } };
}

function secondsSince(startedAt: number): number {
  return Number(((performance.now() - startedAt) / 1_000).toFixed(1));
}
