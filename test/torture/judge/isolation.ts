import type { Case } from './case.js';
import { verdictOf } from './findings.js';
import type { PromiseVerdict } from './verdict.js';

/**
 * P4: an endpoint that no fault aims at gets first attempts within the run's limit, whatever the bad ones do. Judged only
 * by runs that have bad endpoints and nothing else broken, and so set a limit.
 */
export function judgeIsolation({ duties, evidence }: Case): PromiseVerdict {
  const { isolationMs } = evidence.run.budgets;
  if (isolationMs === undefined || !evidence.endpoints.some(({ isBad }) => isBad)) return verdictOf(0, []);
  const healthy = duties.filter(({ isOwed, endpoint }) => isOwed && !endpoint.isBad);
  const findings = healthy.flatMap(({ requests, event, eventId, endpoint }) => {
    const acknowledgedAt = event.acknowledgedAt ?? 0;
    const waitedMs = (requests[0]?.arrivedAt ?? evidence.run.readAt) - acknowledgedAt;
    if (waitedMs <= isolationMs) return [];
    const text = `first attempted after ${waitedMs} ms; ${isolationMs} ms are allowed beside bad endpoints`;
    return [{ kind: 'held_back' as const, text, eventId, endpointId: endpoint.id }];
  });
  return verdictOf(healthy.length, findings);
}
