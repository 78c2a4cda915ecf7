import type { Case, Duty } from './case.js';
import type { Evidence, ProcessEvent, ReceivedRequest } from './evidence.js';
import type { FaultKind } from './fault-kind.js';

/** A period of a fault that can leave outcomes unknown. ms since the epoch. */
export interface Disturbance {
  readonly from: number;
  readonly to: number;
  /** Whether attempts in flight may repeat; otherwise only writes from topic to topic. */
  readonly hitsAttempts: boolean;
  /** Latest time of their repeats. */
  readonly repeatedBy: number;
}

/**
 * Finished offsets are committed within 100 ms after Kafka acknowledged the outcome. On two cores at a load of 15, both
 * together took more than two seconds (measured).
 */
export const UNCOMMITTED_MS = 3_000;
/** Time from the recorded kill of a process to its end. */
const DYING_MS = 500;
/** Time after the return of a broker or link in which clients reconnect and join, and may read records again. */
const SETTLING_MS = 15_000;
/** Time in which attempts of a frozen process arrive after it resumed. */
export const LINGERING_MS = 5_000;

/** Faults of links to Kafka, or of its logs, whose effects outlast them. */
const UNSETTLING: ReadonlySet<FaultKind> = new Set([
  'cut',
  'slow_link',
  'lost_answer',
  'storm',
  'clock_jump',
  'log_replaced',
]);

/** SIGTERM causes no repeats: a process that stops in order finishes and commits. */
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
  // Others took over during the freeze, and the epoch fences its later writes: no further repeats are explained.
  const repeatedBy = kind === 'frozen' && !isBroker ? to : Number.POSITIVE_INFINITY;
  return [{ from: at - UNCOMMITTED_MS, to, hitsAttempts: isBroker || app === 'dispatcher', repeatedBy }];
}

export function overlaps({ from, to }: Disturbance, { arrivedAt, endedAt }: ReceivedRequest): boolean {
  return arrivedAt <= to && (endedAt ?? Number.POSITIVE_INFINITY) >= from;
}

/** Whether the sender may have lost the outcome of this request. */
export function isUncertain(request: ReceivedRequest, all: readonly Disturbance[]): boolean {
  return request.isCut || all.some((each) => each.hitsAttempts && overlaps(each, request));
}

/** Whether the unknown outcome of an earlier request explains this one. */
export function isExcused(
  request: ReceivedRequest,
  earlier: readonly ReceivedRequest[],
  all: readonly Disturbance[],
): boolean {
  const inTime = all.filter(({ repeatedBy }) => request.arrivedAt <= repeatedBy);
  return earlier.some((each) => isUncertain(each, inTime));
}

/** Whether a record that was written twice explains another attempt. */
export function wasBroughtTwice({ records }: Duty, all: readonly Disturbance[]): boolean {
  const brought = records.filter(({ topic, dead }) => topic === 'deliveries' && dead === undefined);
  const same = Map.groupBy(brought, ({ delivery }) => `${delivery?.replay}/${delivery?.attempt}/${delivery?.returned}`);
  return [...same.values()].some((copies) =>
    copies
      .slice(1)
      .some(({ timestamp }) => all.some(({ from, to }) => timestamp >= from && timestamp <= to + SETTLING_MS)),
  );
}

/** Requests whose repeats are explained. */
export function uncertainRequests({ evidence }: Case, all: readonly Disturbance[]): number {
  return evidence.requests.filter((request) => isUncertain(request, all)).length;
}
