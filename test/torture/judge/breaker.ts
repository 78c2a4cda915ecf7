import type { Case } from './case.js';
import type { ReceivedRequest, TopicRecord } from './evidence.js';
import { clock, verdictOf } from './findings.js';
import type { Finding, PromiseVerdict } from './verdict.js';

/** A period of an endpoint's breaker in one state, by its configuration records. ms since the epoch. */
interface Phase {
  readonly state: 'open' | 'half_open';
  readonly from: number;
  readonly to: number;
}

/** Time until every dispatcher has read the change, and its attempts in flight have arrived. */
const TELLING_MS = 1_000;

/** P5: an open breaker stops all attempts; a half-open one admits one probe over all dispatchers. */
export function judgeBreaker({ evidence }: Case): PromiseVerdict {
  const records = evidence.topics.find(({ topic }) => topic === 'endpoints')?.records ?? [];
  const requests = Map.groupBy(evidence.requests, ({ endpointId }) => endpointId);
  let phases = 0;
  const findings = evidence.endpoints.flatMap(({ id }) => {
    const own = phasesOf(
      records.filter(({ key }) => key === id),
      evidence.run.readAt,
    );
    phases += own.length;
    return own.flatMap((phase) => judgePhase(id, phase, requests.get(id) ?? []));
  });
  return verdictOf(phases, findings);
}

function phasesOf(records: readonly TopicRecord[], endedAt: number): Phase[] {
  // After a start the relay repeats records: only changes count.
  const changes = records.filter(({ breaker }, index) => index === 0 || breaker !== records[index - 1]?.breaker);
  return changes.flatMap(({ breaker, timestamp }, index) => {
    if (breaker === undefined || breaker === 'closed') return [];
    return [{ state: breaker, from: timestamp, to: changes[index + 1]?.timestamp ?? endedAt }];
  });
}

function judgePhase(endpointId: string, { state, from, to }: Phase, requests: readonly ReceivedRequest[]): Finding[] {
  const afterMs = state === 'open' ? TELLING_MS : 0;
  const sent = requests.filter(({ arrivedAt }) => arrivedAt >= from + afterMs && arrivedAt < to);
  const allowed = state === 'open' ? 0 : 1;
  if (sent.length <= allowed) return [];
  const kind = state === 'open' ? 'sent_while_open' : 'several_probes';
  const text =
    state === 'open'
      ? 'sent while the breaker was open'
      : `one of ${sent.length} requests between ${clock(from)} and ${clock(to)}, when one probe was allowed`;
  return sent.slice(allowed).map(({ eventId, arrivedAt }) => ({
    kind,
    text: `${text} (${clock(arrivedAt)})`,
    eventId,
    endpointId,
  }));
}
