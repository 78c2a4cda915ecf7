import { setTimeout as delay } from 'node:timers/promises';
import { Flood } from '../flood.ts';
import { percentiles } from '../percentiles.ts';
import { type Sample, Watch } from '../samples.ts';
import { mapValues } from '../throughput/load.ts';
import type { Case, Neighbours } from './cases.ts';
import type { CrowdReport, Watched, WatchedLoad } from './messages.ts';
import type { Stage } from './stage.ts';
import { type StagesOfWait, stagesOfWait } from './stages-of-wait.ts';

/** An event that arrives this long after the last one was published still counts as throughput. */
const ON_TIME_MS = 1_000;
const RESOURCES = 1_000;
const SMALL_BYTES = 500;
const WATCHED_TENANT = 'quiet';

let cases = 0;

/** The result of one case. Times are in ms. */
export interface Measured {
  readonly name: string;
  readonly latency: ReturnType<typeof percentiles>;
  readonly published: number;
  readonly refused: number;
  readonly missing: number;
  readonly repeats: number;
  /** Share of the published events that had arrived 1 s after the last one was published. */
  readonly throughput: number;
  /** Deliveries of the neighbours that were published and not answered, at the end of publishing. */
  readonly backlog: number;
  readonly floodPerSecond: number;
  readonly peak: Sample;
  /** The last sample before publishing ended. */
  readonly atEnd: Sample | undefined;
  readonly waits: StagesOfWait;
  /** Cores used while events were published, by process. */
  readonly cores: Record<string, number>;
  readonly lag: { readonly probe: Watched['lag']; readonly crowd: CrowdReport['lag'] };
}

/** @returns the result, and whether the next case may use the stage */
export async function measure(
  stage: Stage,
  each: Case,
  seconds: number,
): Promise<{ measured: Measured; isClear: boolean }> {
  const type = `case${cases++}`;
  const floodType = `${type}.flood`;
  const isShared = each.row === 'endpoints';
  const tenant = isShared ? WATCHED_TENANT : 'flooding';
  const watchedId = await stage.addWatched(type, WATCHED_TENANT);
  const neighbourIds = await stage.addNeighbours(each.neighbours, isShared ? [type, floodType] : [floodType], tenant);
  await stage.settle();
  const bytes = each.neighbours?.bytes ?? SMALL_BYTES;
  const flooded = { prefix: floodType, types: [floodType], tenant, bytes, resources: RESOURCES };
  const flood = new Flood(stage.producer, flooded);
  const resource = each.isOneResource ? stage.resourceOnOnePartition([watchedId, ...neighbourIds]) : undefined;
  const { watched, answered, ...figures } = await underLoad(stage, each, { type, resource, flood, seconds });
  const waits = await stagesOfWait(stage.kafka, watchedId, watched.arrivals);
  const isClear = await stage.clear([watchedId, ...neighbourIds]);
  const events = flood.sent + (isShared ? watched.published : 0);
  const measured = {
    name: each.name,
    ...summary(watched),
    backlog: Math.max(0, events * neighbourIds.length - answered),
    floodPerSecond: Math.round(flood.sent / seconds),
    waits,
    ...figures,
  };
  return { measured, isClear };
}

/** Publishes, and measures the system at the same time. */
async function underLoad(
  { system, probe, crowd }: Stage,
  each: Case,
  { flood, ...given }: Pick<WatchedLoad, 'type' | 'resource' | 'seconds'> & { flood: Flood },
) {
  const { seconds } = given;
  await crowd.ask<CrowdReport>('reset');
  const watch = new Watch(system);
  const before = system.usage();
  const load: WatchedLoad = {
    ingestPort: system.port('ingest'),
    apiKey: system.apiKey,
    tenant: WATCHED_TENANT,
    perSecond: each.perSecond,
    ...given,
  };
  const watching = probe.ask<Watched>(load);
  await Promise.all([sendFlood(flood, each.neighbours, seconds), delay(seconds * 1_000)]);
  const cores = mapValues(system.cpuSince(before), (used) => Number((used / seconds).toFixed(2)));
  const { answered, lag } = await crowd.ask<CrowdReport>('report');
  const atEnd = watch.latest;
  const watched = await watching;
  return { watched, answered, cores, atEnd, peak: await watch.stop(), lag: { probe: watched.lag, crowd: lag } };
}

async function sendFlood(flood: Flood, neighbours: Neighbours | undefined, seconds: number) {
  const kind = neighbours?.flood;
  if (kind === undefined) return;
  if ('perSecond' in kind) return flood.atRate(kind.perSecond, seconds);
  const endsAt = performance.now() + seconds * 1_000;
  const leftMs = () => endsAt - performance.now();
  do {
    const nextAt = performance.now() + kind.everyS * 1_000;
    await flood.burst(kind.burst);
    await delay(Math.max(0, Math.min(nextAt - performance.now(), leftMs())));
  } while (leftMs() > 0);
}

function summary({ published, refused, arrivals, repeats, endedAt, stoppedAt }: Watched) {
  const arrived = arrivals.filter(({ arrivedAt }) => arrivedAt !== undefined);
  const onTime = arrivals.filter(({ arrivedAt = Number.POSITIVE_INFINITY }) => arrivedAt <= endedAt + ON_TIME_MS);
  // An event that has not arrived has waited at least until the probe stopped.
  const latencies = arrivals.map(({ publishedAt, arrivedAt = stoppedAt }) => arrivedAt - publishedAt);
  return {
    latency: percentiles(latencies),
    published,
    refused,
    missing: arrivals.length - arrived.length,
    repeats,
    throughput: Number((onTime.length / Math.max(1, published)).toFixed(3)),
  };
}
