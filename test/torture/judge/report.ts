import { type Evidence, PROMISES, type PromiseName } from './evidence.js';
import { clock } from './findings.js';
import type { Finding, Verdict } from './verdict.js';

const TITLES: Readonly<Record<PromiseName, string>> = {
  P1: 'no loss',
  P2: 'few repeats, none unasked',
  P3: 'order',
  P4: 'isolation',
  P5: 'breaker',
  P6: 'liveness',
  P7: 'durable progress',
  P8: 'visible truth',
};

/** The verdict as text: faults, promises, figures and findings. */
export function reportText(verdict: Verdict, evidence: Evidence): string {
  const { figures, promises, voidReasons } = verdict;
  const { run, faults } = evidence;
  const lines = [
    `${verdict.outcome.toUpperCase()}  ${verdict.run}, seed ${verdict.seed}, ${new Date(run.startedAt).toISOString()}, ${seconds(run.readAt - run.startedAt)}`,
    ...faults.map(
      ({ kind, target, from, to, fired, inFlight }) =>
        `  fault ${kind} ${target}: ${clock(from)} to ${clock(to)}, fired ${fired}, ${inFlight} in flight`,
    ),
    ...voidReasons.map((reason) => `  void: ${reason}`),
    ...PROMISES.map((name) => {
      const { outcome, checked, broken } = promises[name];
      const count = outcome === 'broken' ? `${broken} findings` : `${checked} checked`;
      return `  ${name} ${TITLES[name].padEnd(26)} ${outcome.padEnd(7)} ${count}`;
    }),
    `  events ${figures.acknowledged} acknowledged, ${figures.unknown} unknown; requests ${figures.requests}; lost ${figures.lost} (${figures.reportedLost} more reported)`,
    `  out of order ${figures.outOfOrder}; duplicates ${figures.duplicates} of ${figures.duplicateBudget}; stale repeats ${figures.staleRepeats} of ${figures.staleBudget}`,
    `  longest stall ${seconds(figures.longestStallMs)}; healed ${figures.healMs === undefined ? 'never' : `after ${seconds(figures.healMs)}`}`,
    ...PROMISES.flatMap((name) => promises[name].findings.map((finding) => `  ${name} ${findingText(finding)}`)),
  ];
  return lines.join('\n');
}

/** The verdict as one line of JSON, with the number of findings of each kind. */
export function reportLine({ run, seed, outcome, promises, figures, voidReasons }: Verdict, at: number): string {
  const outcomes = Object.fromEntries(PROMISES.map((name) => [name, promises[name].outcome]));
  const kinds = PROMISES.flatMap((name) => promises[name].findings.map(({ kind }) => kind));
  const found = Object.fromEntries([...Map.groupBy(kinds, (kind) => kind)].map(([kind, list]) => [kind, list.length]));
  const date = new Date(at).toISOString();
  return JSON.stringify({ run, seed, date, outcome, promises: outcomes, figures, found, void: voidReasons });
}

function findingText({ kind, text, eventId, endpointId, lastSeen }: Finding): string {
  const about = [eventId, endpointId].filter((part) => part !== undefined).join(' at ');
  return `${kind}${about === '' ? '' : ` (${about})`}: ${text}${lastSeen === undefined ? '' : `; last seen: ${lastSeen}`}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
