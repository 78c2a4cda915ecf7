import { type Case, type Duty, dueTimes, endOf } from './case.js';
import { verdictOf } from './findings.js';
import type { Finding, PromiseVerdict } from './verdict.js';

export interface LivenessJudgement {
  readonly verdict: PromiseVerdict;
  readonly longestStallMs: number;
  readonly healMs: number | undefined;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * P6: after the last fault everything drains within the limit. At no time do due deliveries wait longer than the limit
 * without a single arrival.
 *
 * @param waiting deliveries that are neither over nor lost
 */
export function judgeLiveness(all: Case, waiting: readonly Duty[]): LivenessJudgement {
  const { run } = all.evidence;
  const longestStallMs = longestStall(all);
  const healMs = healTime(all);
  const findings: Finding[] = waiting.filter(({ endpoint }) => !endpoint.mayWait).map(stillWaiting);
  if (run.quietAt === undefined) findings.push({ kind: 'not_quiet', text: notQuietText(all) });
  if (healMs !== undefined && healMs > run.budgets.healMs) {
    findings.push({
      kind: 'healed_late',
      text: `quiet ${healMs} ms after the last fault; ${run.budgets.healMs} allowed`,
    });
  }
  if (longestStallMs > run.budgets.stallMs) {
    const text = `nothing arrived for ${longestStallMs} ms while deliveries were due; ${run.budgets.stallMs} allowed`;
    findings.push({ kind: 'stalled', text });
  }
  return { verdict: verdictOf(all.duties.length, findings), longestStallMs, healMs };
}

/** Time from the end of the last fault until every event acknowledged by then was over. */
function healTime({ evidence: { run }, duties }: Case): number | undefined {
  if (run.quietAt === undefined) return undefined;
  const ends = duties
    .filter(({ event, isOwed }) => isOwed && (event.acknowledgedAt ?? Number.POSITIVE_INFINITY) <= run.healedAt)
    .map((duty) => endOf(duty) ?? run.healedAt);
  return ends.reduce((longest, end) => Math.max(longest, end - run.healedAt), 0);
}

/** A first attempt is due when no delivery is ahead. Deliveries that wait for a retry, or behind one, are not due. */
function longestStall(all: Case): number {
  const { evidence, duties } = all;
  const due = dueTimes(all);
  const spans = duties.flatMap((duty): Span[] => {
    const { endpoint, requests, isOwed } = duty;
    const from = due.get(duty);
    if (!isOwed || endpoint.isBad || endpoint.mayWait || from === undefined) return [];
    return [{ from, to: requests[0]?.arrivedAt ?? evidence.run.readAt }];
  });
  const arrivals = evidence.requests.map(({ arrivedAt }) => arrivedAt).sort((a, b) => a - b);
  return merged(spans).reduce((longest, span) => Math.max(longest, longestGap(span, arrivals)), 0);
}

function merged(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last !== undefined && span.from <= last.to)
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    else if (span.to > span.from) result.push(span);
  }
  return result;
}

/** @param arrivals times in ascending order */
function longestGap({ from, to }: Span, arrivals: readonly number[]): number {
  let longest = 0;
  let last = from;
  for (const at of arrivals) {
    if (at <= from) continue;
    if (at >= to) break;
    longest = Math.max(longest, at - last);
    last = at;
  }
  return Math.max(longest, to - last);
}

function stillWaiting({ eventId, endpoint, records }: Duty): Finding {
  const last = records.at(-1);
  const where = last === undefined ? 'ingest' : `${last.topic}/${last.partition}/${last.offset}`;
  return {
    kind: 'still_waiting',
    text: `neither delivered nor dead in the end; last in ${where}`,
    eventId,
    endpointId: endpoint.id,
  };
}

function notQuietText({ evidence: { rows, commits, topics } }: Case): string {
  const position = commits.at(-1)?.positions ?? [];
  const behind = topics.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, end }) => {
      const committed = position.find((each) => each.topic === topic && each.partition === partition);
      return committed && committed.offset < end ? [`${topic}/${partition}: ${end - committed.offset}`] : [];
    }),
  );
  const left = `${rows.parked.length} parked, ${rows.heads.length} heads, ${rows.outboxRows} rows of the outbox`;
  return `it did not become quiet: ${left}, behind in ${behind.join(', ') || 'no topic'}`;
}
