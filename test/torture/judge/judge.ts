import { judgeBreaker } from './breaker.js';
import { arrange } from './case.js';
import { type Evidence, type FaultEvent, PROMISES, type PromiseName } from './evidence.js';
import { judgeIsolation } from './isolation.js';
import { judgeLiveness } from './liveness.js';
import { judgeLoss } from './no-loss.js';
import { judgeOrder } from './order.js';
import { judgeProgress } from './progress.js';
import { judgeRepeats } from './repeats.js';
import { judgeTruth } from './truth.js';
import type { Outcome, PromiseVerdict, Verdict } from './verdict.js';

/** Promises that every run must have evidence for. */
const ALWAYS: readonly PromiseName[] = ['P1', 'P2', 'P3'];

/** Judges one run. Pure: the same evidence gives the same verdict. */
export function judge(evidence: Evidence): Verdict {
  const all = arrange(evidence);
  const loss = judgeLoss(all);
  const repeats = judgeRepeats(all);
  const order = judgeOrder(all, loss.reported);
  const liveness = judgeLiveness(all, loss.waiting);
  const promises: Record<PromiseName, PromiseVerdict> = {
    P1: loss.verdict,
    P2: repeats.verdict,
    P3: order.verdict,
    P4: judgeIsolation(all),
    P5: judgeBreaker(all),
    P6: liveness.verdict,
    P7: judgeProgress(all),
    P8: judgeTruth(all),
  };
  const voidReasons = reasonsOfVoid(evidence, promises);
  const events = [...all.events.values()];
  return {
    run: evidence.run.name,
    seed: evidence.run.seed,
    outcome: outcomeOf(promises, voidReasons),
    promises,
    figures: {
      acknowledged: events.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length,
      unknown: events.filter(({ acknowledgedAt, isRefused }) => acknowledgedAt === undefined && !isRefused).length,
      requests: evidence.requests.length,
      lost: loss.lost,
      reportedLost: loss.reported.size,
      outOfOrder: order.outOfOrder,
      duplicates: repeats.duplicates.length,
      duplicateBudget: repeats.duplicateBudget,
      staleRepeats: repeats.staleRepeats.length,
      staleBudget: repeats.staleBudget,
      longestStallMs: liveness.longestStallMs,
      healMs: liveness.healMs,
    },
    voidReasons,
  };
}

/** A broken promise counts, also when the fault did not fire. */
function outcomeOf(promises: Readonly<Record<PromiseName, PromiseVerdict>>, voidReasons: readonly string[]): Outcome {
  if (PROMISES.some((name) => promises[name].outcome === 'broken')) return 'broken';
  return voidReasons.length > 0 ? 'void' : 'kept';
}

function reasonsOfVoid({ faults, run }: Evidence, promises: Readonly<Record<PromiseName, PromiseVerdict>>): string[] {
  const tried = new Set([...ALWAYS, ...run.mustJudge]);
  const unjudged = PROMISES.filter((name) => tried.has(name) && promises[name].outcome === 'void');
  return [...faults.flatMap(reasonOfVoid), ...unjudged.map((name) => `there was nothing to judge ${name} by`)];
}

function reasonOfVoid({ kind, target, fired, inFlight }: FaultEvent): string[] {
  if (fired === 0) return [`${kind} ${target} did not fire`];
  return inFlight === 0 ? [`${kind} ${target} fired with nothing in flight`] : [];
}
