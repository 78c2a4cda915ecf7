import type { Case, Duty } from './case.js';
import type { Evidence, ProcessEvent, ReceivedRequest } from './evidence.js';
import type { FaultKind } from './fault-kind.js';

/** A time in which something was broken that can leave outcomes unknown. ms since the epoch. */
export interface Disturbance {
  readonly from: number;
  readonly to: number;
  /** Whether attempts under way may be repeated; else only records that were being brought from topic to topic. */
  readonly hitsAttempts: boolean;
  /** When repeats of them must have come. */
  readonly repeatedBy: number;
}

/**
 * What is finished is committed within 100 ms, once Kafka has acknowledged its outcome; on two cores at a load of 15 the
 * two together were seen to take more than two seconds.
 */
export const UNCOMMITTED_MS = 3_000;
/** From the wish to kill a process, which is what is noted, to its end. */
const DYING_MS = 500;
/** After a broker or a link is back: clients reconnect and join, and what was under way meanwhile may be read again. */
const SETTLING_MS = 15_000;
/** What a process had begun when it froze arrives when it goes on. */
export const LINGERING_MS = 5_000;

/** Faults on the way to Kafka, or of its logs, whose end does not settle anything at once. */
const UNSETTLING: ReadonlySet<FaultKind> = new Set([
  'cut',
  'slow_link',
  'lost_answer',
  'storm',
  'clock_jump',
  'log_replaced',
]);

/** SIGTERM disturbs nothing: a process that is asked to stop finishes and commits. */
export function disturbances({ processes, faults, restored }: Evidence): Disturbance[] {
  const ofFaults = faults
    .filter(({ kind }) => UNSETTLING.has(kind))
    .map(({ from, to }) => ({
      from: from - UNCOMMITTED_MS,
      to: to + SETTLING_MS,
      hitsAttempts: true,
      repeatedBy: Number.POSITIVE_INFINITY,
    }));
  const ofRebuilds = (restored?.rebuilds ?? []).map(({ from, to }) => ({
    from: from - UNCOMMITTED_MS,
    to,
    hitsAttempts: true,
    repeatedBy: to + SETTLING_MS,
  }));
  return [...ofFaults, ...ofRebuilds, ...processes.flatMap((event) => ofProcess(event, processes))];
}

function ofProcess(event: ProcessEvent, all: readonly ProcessEvent[]): Disturbance[] {
  const { app, kind, process, at } = event;
  const isBroker = app === 'kafka';
  const isHarsh = kind === 'killed' || kind === 'exited' || kind === 'frozen' || (isBroker && kind === 'stopping');
  if (!isHarsh || app === 'postgres' || app === 'control') return [];
  const back = all.find(
    (later) => later.process === process && later.at >= at && (later.kind === 'ready' || later.kind === 'continued'),
  );
  const isOver = kind === 'killed' || kind === 'exited';
  const backAt = back?.at ?? Number.POSITIVE_INFINITY;
  const to = isBroker ? backAt + SETTLING_MS : isOver ? at + DYING_MS : backAt + LINGERING_MS;
  // Others took over while it was frozen, and it may not change a lane later: nothing is left to be repeated after that.
  const repeatedBy = kind === 'frozen' && !isBroker ? to : Number.POSITIVE_INFINITY;
  return [{ from: at - UNCOMMITTED_MS, to, hitsAttempts: isBroker || app === 'dispatcher', repeatedBy }];
}

export function overlaps({ from, to }: Disturbance, { arrivedAt, endedAt }: ReceivedRequest): boolean {
  return arrivedAt <= to && (endedAt ?? Number.POSITIVE_INFINITY) >= from;
}

/** Whether it may be that the sender never knew, or lost, what came of this request. */
export function isUncertain(request: ReceivedRequest, all: readonly Disturbance[]): boolean {
  return request.isCut || all.some((each) => each.hitsAttempts && overlaps(each, request));
}

/** Whether a request may come since it was uncertain what came of an earlier one. */
export function isExcused(
  request: ReceivedRequest,
  earlier: readonly ReceivedRequest[],
  all: readonly Disturbance[],
): boolean {
  const inTime = all.filter(({ repeatedBy }) => request.arrivedAt <= repeatedBy);
  return earlier.some((each) => isUncertain(each, inTime));
}

/** Whether a delivery may be attempted again since its record was brought somewhere twice. */
export function wasBroughtTwice({ records }: Duty, all: readonly Disturbance[]): boolean {
  const brought = records.filter(({ topic, dead }) => topic === 'deliveries' && dead === undefined);
  const same = Map.groupBy(brought, ({ delivery }) => `${delivery?.replay}/${delivery?.attempt}/${delivery?.returned}`);
  return [...same.values()].some((copies) =>
    copies
      .slice(1)
      .some(({ timestamp }) => all.some(({ from, to }) => timestamp >= from && timestamp <= to + SETTLING_MS)),
  );
}

/** Requests that may be repeated with a reason. */
export function uncertainRequests({ evidence }: Case, all: readonly Disturbance[]): number {
  return evidence.requests.filter((request) => isUncertain(request, all)).length;
}
