import { type Case, type Duty, isAccepted } from './case.js';
import { type Disturbance, disturbances, isUncertain } from './disturbances.js';
import type { AttemptRow, DeliveryRow, ReceivedRequest } from './evidence.js';
import { clock, verdictOf } from './findings.js';
import type { Finding, PromiseVerdict } from './verdict.js';

/**
 * P8: the API's history is true. Every response of the receiver has its attempt, every attempt with a status had that
 * response, each delivery's state is right, and every dead letter is listed. After an unknown outcome the history may
 * have fewer attempts than the receiver, never different ones.
 */
export function judgeTruth(all: Case): PromiseVerdict {
  const { rows, topics } = all.evidence;
  const windows = disturbances(all.evidence);
  const attempts = Map.groupBy(rows.attempts, ({ deliveryId }) => deliveryId);
  const states = new Map(rows.deliveries.map((row) => [row.id, row]));
  const findings = all.duties.flatMap((duty) => {
    const own = attempts.get(duty.deliveryId) ?? [];
    return [...unlike(duty, own, windows), ...wrongState(duty, states.get(duty.deliveryId))];
  });
  const shown = new Set(rows.deadLetters.map(({ partition, offset }) => `${partition}/${offset}`));
  const dlq = topics.find(({ topic }) => topic === 'dlq')?.records ?? [];
  const untold = dlq
    .filter(({ partition, offset }) => !shown.has(`${partition}/${offset}`))
    .map(({ partition, offset }) => ({
      kind: 'dead_letter_untold' as const,
      text: `dlq/${partition}/${offset} cannot be looked up`,
    }));
  return verdictOf(all.evidence.requests.length + dlq.length, [...findings, ...untold]);
}

/** Matches requests and attempt rows, one to one. */
function unlike(duty: Duty, rows: readonly AttemptRow[], windows: readonly Disturbance[]): Finding[] {
  const left = [...rows];
  const untold: ReceivedRequest[] = [];
  // Requests with a known outcome first: each must have its row.
  const certainFirst = duty.requests.toSorted(
    (a, b) => Number(isUncertain(a, windows)) - Number(isUncertain(b, windows)),
  );
  for (const request of certainFirst) {
    const found = left.findIndex((row) => row.attempt === request.attempt && isLike(row, request));
    if (found >= 0) left.splice(found, 1);
    else if (request.endedAt !== undefined && !isUncertain(request, windows) && !isRepeated(duty, request))
      untold.push(request);
  }
  const invented = left.filter(({ statusCode }) => statusCode !== undefined);
  return [
    ...untold.map(({ attempt, status, arrivedAt }) =>
      finding('attempt_untold', duty, `attempt ${attempt} (${clock(arrivedAt)}, answered ${status}) is in no history`),
    ),
    ...invented.map(({ attempt, statusCode }) =>
      finding('attempt_invented', duty, `attempt ${attempt} is told as ${statusCode}; the receiver answered no such`),
    ),
  ];
}

/** The sender may have lost the response; it cannot have seen another one. */
function isLike({ statusCode }: AttemptRow, { status, isCut }: ReceivedRequest): boolean {
  return statusCode === status || (isCut && statusCode === undefined);
}

/** Two requests with one attempt number are the same attempt: the history has one. */
function isRepeated({ requests, lives }: Duty, { attempt }: ReceivedRequest): boolean {
  return requests.filter((request) => request.attempt === attempt).length > lives;
}

function wrongState(duty: Duty, row: DeliveryRow | undefined): Finding[] {
  const { requests, deadAt, lives, isOwed } = duty;
  const isTold = requests.some((request) => isAccepted(request) && !request.isCut);
  const expected = isTold ? 'delivered' : deadAt !== undefined ? 'dead' : undefined;
  // After a replay, or a lost response, the attempts decide the state.
  if (expected === undefined || lives > 1 || (!isTold && requests.some(isAccepted))) return [];
  if (row?.status === expected) return [];
  if (row === undefined && !isOwed) return [];
  return [finding('wrong_status', duty, `it is ${expected}, and shown as ${row?.status ?? 'nothing at all'}`)];
}

function finding(kind: Finding['kind'], { eventId, endpoint }: Duty, text: string): Finding {
  return { kind, text, eventId, endpointId: endpoint.id };
}
