import { type Case, type Duty, isAccepted } from './case.js';
import { disturbances, isExcused, LINGERING_MS, uncertainRequests, wasBroughtTwice } from './disturbances.js';
import type { ReceivedRequest } from './evidence.js';
import { clock, verdictOf } from './findings.js';
import type { Finding, PromiseVerdict } from './verdict.js';

export interface RepeatJudgement {
  readonly verdict: PromiseVerdict;
  readonly duplicates: readonly Repeat[];
  readonly duplicateBudget: number;
  readonly staleRepeats: readonly Repeat[];
  readonly staleBudget: number;
}

/** An unnecessary request. */
export interface Repeat {
  readonly duty: Duty;
  readonly request: ReceivedRequest;
  /** The previous request of the same delivery. */
  readonly before: ReceivedRequest | undefined;
  /** Whether the evidence explains the repeat: an earlier outcome was unknown, or a record was written twice. */
  readonly isExplained: boolean;
}

/**
 * P2: every request belongs to an accepted event, and its headers are true. No delivery is attempted more often than
 * its policy allows, and repeats stay within the budget.
 */
export function judgeRepeats(all: Case): RepeatJudgement {
  const { evidence, duties, strangers } = all;
  const windows = disturbances(evidence);
  const duplicates = duties.flatMap((duty) =>
    duplicatesOf(duty).map(({ request, earlier }) => ({
      duty,
      request,
      before: earlier.at(-1),
      isExplained:
        isExcused(request, earlier, windows) || wasBroughtTwice(duty, windows) || waitedInBackup(all, duty, request),
    })),
  );
  const staleRepeats = staleOf(all, duplicates);
  const { budgets } = evidence.run;
  const explainable = uncertainRequests(all, windows);
  const findings = [
    ...strangers.map(stranger),
    ...evidence.requests.filter(isForged).map(forged),
    ...duties.flatMap(beyondPolicy),
    ...overBudget('too_many_duplicates', duplicates, budgets.duplicates),
    ...overBudget('too_many_stale_repeats', staleRepeats, budgets.staleRepeats),
    ...tooManyOfZombies(all, staleRepeats),
  ];
  return {
    verdict: verdictOf(evidence.requests.length, findings),
    duplicates,
    duplicateBudget: budgets.duplicates === 'explained' ? explainable : budgets.duplicates,
    staleRepeats,
    staleBudget: budgets.staleRepeats === 'explained' ? explainable : budgets.staleRepeats,
  };
}

/** The backup lacks the end of the delivery. */
function waitedInBackup(
  { evidence: { restored } }: Case,
  { deliveryId }: Duty,
  { arrivedAt }: ReceivedRequest,
): boolean {
  return restored !== undefined && arrivedAt >= restored.at && restored.waiting.has(deliveryId);
}

/** In each life an attempt number occurs once, and no request follows the acceptance. */
function duplicatesOf({ requests, lives }: Duty): { request: ReceivedRequest; earlier: ReceivedRequest[] }[] {
  if (requests.length <= 1) return [];
  return requests.flatMap((request, index) => {
    const earlier = requests.slice(0, index);
    const same = earlier.filter(({ attempt }) => attempt === request.attempt);
    const accepted = earlier.filter((each) => isAccepted(each) && (each.endedLine ?? 0) < request.arrivedLine);
    return same.length >= lives || accepted.length >= lives ? [{ request, earlier }] : [];
  });
}

/** Repeats of an event after a later one of its lane was accepted. */
function staleOf({ lanes }: Case, duplicates: readonly Repeat[]): Repeat[] {
  return duplicates.filter(({ duty, request }) => {
    const lane = [...lanes.values()].find((members) => members.includes(duty)) ?? [];
    const later = lane.slice(lane.indexOf(duty) + 1);
    return later.some(({ acceptance }) => (acceptance?.endedLine ?? Number.POSITIVE_INFINITY) < request.arrivedLine);
  });
}

function overBudget(
  kind: 'too_many_duplicates' | 'too_many_stale_repeats',
  repeats: readonly Repeat[],
  budget: number | 'explained',
): Finding[] {
  const over = budget === 'explained' ? repeats.filter(({ isExplained }) => !isExplained) : repeats;
  if (budget !== 'explained' && repeats.length <= budget) return [];
  const why = budget === 'explained' ? 'nothing explains it' : `${repeats.length} of them, ${budget} allowed`;
  return over.map(({ duty, request, before }) => ({
    kind,
    text: `attempt ${request.attempt} of ${duty.deliveryId} came again at ${clock(request.arrivedAt)} after ${clock(before?.endedAt ?? 0)}: ${why}`,
    eventId: duty.eventId,
    endpointId: duty.endpoint.id,
  }));
}

/** A zombie may send one request per lane: the attempt that it had begun. */
function tooManyOfZombies({ evidence: { processes } }: Case, stale: readonly Repeat[]): Finding[] {
  const continued = processes.filter(({ app, kind }) => app === 'dispatcher' && kind === 'continued');
  return continued.flatMap(({ at, process }) => {
    const late = stale.filter(({ request: { arrivedAt } }) => arrivedAt >= at && arrivedAt <= at + LINGERING_MS);
    return [...Map.groupBy(late, ({ duty }) => duty.lane)]
      .filter(([, repeats]) => repeats.length > 1)
      .map(([lane, repeats]) => ({
        kind: 'too_many_stale_repeats' as const,
        text: `${process} went on and sent ${repeats.length} requests of lane ${lane} that was no longer its own; one is allowed`,
      }));
  });
}

function stranger({ eventId, endpointId, arrivedAt }: ReceivedRequest): Finding {
  return {
    kind: 'never_accepted',
    text: `sent at ${clock(arrivedAt)}, although no such event was accepted for this endpoint`,
    eventId,
    endpointId,
  };
}

function isForged({ isSigned, webhookId, eventId }: ReceivedRequest): boolean {
  return !isSigned || webhookId !== eventId;
}

function forged({ eventId, endpointId, isSigned, webhookId }: ReceivedRequest): Finding {
  const text = isSigned ? `its webhook-id is ${webhookId}` : 'its signature is wrong';
  return { kind: 'forged', text, eventId, endpointId };
}

function beyondPolicy({ requests, endpoint, eventId }: Duty): Finding[] {
  const highest = Math.max(0, ...requests.map(({ attempt }) => attempt));
  if (highest <= endpoint.attempts) return [];
  const text = `attempt ${highest} was made; the policy allows ${endpoint.attempts}`;
  return [{ kind: 'too_many_attempts', text, eventId, endpointId: endpoint.id }];
}
