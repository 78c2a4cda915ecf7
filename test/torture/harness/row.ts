import type { TortureRow } from '../../../scripts/torture/table.js';
import type { Evidence } from '../judge/evidence.js';
import type { Verdict } from '../judge/verdict.js';
import type { Plan } from './plan.js';

/** A row of the table. */
export function rowOf(fault: string, brokers: number, verdict: Verdict, evidence: Evidence): TortureRow {
  const { faults, run } = evidence;
  const { figures, promises, voidReasons, seed } = verdict;
  const sum = (field: 'fired' | 'inFlight') => faults.reduce((total, each) => total + each[field], 0);
  const { healMs, ...known } = figures;
  const ends = endedUnasked(evidence);
  const outcome = ends.length > 0 ? 'broken' : verdict.outcome;
  const findings = Object.values(promises).flatMap((promise) =>
    promise.findings.map(({ kind, text }) => `${kind}: ${text}`),
  );
  return {
    ...{ fault, seed, brokers, outcome, date: new Date(run.startedAt).toISOString() },
    ...{ fired: sum('fired'), inFlight: sum('inFlight') },
    figures: { ...known, ...(healMs === undefined ? {} : { healMs }) },
    reasons: [...ends, ...voidReasons, ...findings],
  };
}

/** An incomplete run has a row, too. */
export function withoutVerdict(fault: string, { seed, brokers }: Plan, error: unknown): TortureRow {
  const known = { fault, seed, brokers, date: new Date().toISOString(), fired: 0, inFlight: 0 };
  return { ...known, outcome: 'broken', reasons: [error instanceof Error ? error.message : String(error)] };
}

/** Processes that ended unexpectedly. When a server is away, apps must wait for it and continue. */
function endedUnasked({ processes }: Evidence): string[] {
  return processes.filter(({ kind }) => kind === 'exited').map(({ process }) => `${process} ended by itself`);
}
