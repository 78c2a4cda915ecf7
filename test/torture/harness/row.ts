import type { TortureRow } from '../../../scripts/torture/table.mjs';
import type { Evidence } from '../judge/evidence.js';
import type { Verdict } from '../judge/verdict.js';

/** A line of the table. */
export function rowOf(fault: string, brokers: number, verdict: Verdict, { faults, run }: Evidence): TortureRow {
  const { figures, outcome, promises, voidReasons, seed } = verdict;
  const sum = (field: 'fired' | 'inFlight') => faults.reduce((total, each) => total + each[field], 0);
  const { healMs, ...known } = figures;
  const findings = Object.values(promises).flatMap((promise) =>
    promise.findings.map(({ kind, text }) => `${kind}: ${text}`),
  );
  return {
    ...{ fault, seed, brokers, outcome, date: new Date(run.startedAt).toISOString() },
    ...{ fired: sum('fired'), inFlight: sum('inFlight') },
    figures: { ...known, ...(healMs === undefined ? {} : { healMs }) },
    reasons: [...voidReasons, ...findings],
  };
}
