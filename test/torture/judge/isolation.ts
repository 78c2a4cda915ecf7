import { type Case, dueTimes } from './case.js';
import { verdictOf } from './findings.js';
import type { PromiseVerdict } from './verdict.js';

/**
 * P4: an endpoint without a fault gets first attempts within the run's limit, independent of bad endpoints. The time
 * counts from the end of the delivery ahead in the lane, since a lane's own load is no effect of others. Only runs with
 * bad endpoints and no other fault set a limit.
 */
export function judgeIsolation(all: Case): PromiseVerdict {
  const { duties, evidence } = all;
  const { isolationMs } = evidence.run.budgets;
  if (isolationMs === undefined || !evidence.endpoints.some(({ isBad }) => isBad)) return verdictOf(0, []);
  const due = dueTimes(all);
  const healthy = duties.filter((duty) => duty.isOwed && !duty.endpoint.isBad && due.get(duty) !== undefined);
  const findings = healthy.flatMap((duty) => {
    const { requests, eventId, endpoint } = duty;
    const waitedMs = (requests[0]?.arrivedAt ?? evidence.run.readAt) - (due.get(duty) ?? 0);
    if (waitedMs <= isolationMs) return [];
    const text = `first attempted after ${waitedMs} ms; ${isolationMs} ms are allowed beside bad endpoints`;
    return [{ kind: 'held_back' as const, text, eventId, endpointId: endpoint.id }];
  });
  return verdictOf(healthy.length, findings);
}
