import { type Case, type Duty, isTerminal, type PlacedRecord } from './case.js';
import type { LedgerEntry, LossAlarm } from './evidence.js';
import { clock, verdictOf } from './findings.js';
import { isFinished, lastPosition } from './positions.js';
import type { Finding, PromiseVerdict, Stage } from './verdict.js';

export interface LossJudgement {
  readonly verdict: PromiseVerdict;
  readonly lost: number;
  /** Lost to retention, or with Kafka, and reported by the apps. */
  readonly reported: ReadonlySet<Duty>;
  /** Deliveries that are neither over nor lost. */
  readonly waiting: readonly Duty[];
}

/** A step of a delivery that the evidence shows. */
interface Sight {
  readonly stage: Stage;
  readonly at: number;
  readonly text: string;
}

/**
 * P1: every acknowledged event is delivered, dead or visibly waiting at each of its endpoints, and every poison record
 * is in `dlq`. A loss by retention or a replaced Kafka that the apps reported is counted, and does not break the
 * promise.
 */
export function judgeLoss(all: Case): LossJudgement {
  const owed = all.duties.filter(({ isOwed }) => isOwed);
  const open = owed.filter((duty) => !isTerminal(duty));
  const waiting = open.filter((duty) => isWaiting(all, duty));
  const gone = open.filter((duty) => !waiting.includes(duty));
  const isRetentionTried = all.evidence.faults.some(({ kind }) => kind === 'retention');
  const reported = gone.filter((duty) => (isRetentionTried && wasReported(all, duty)) || wasLostUnarchived(all, duty));
  const lost = gone.filter((duty) => !reported.includes(duty));
  const poison = poisonLost(all);
  const findings = [...lost.map((duty) => lostFinding(all, duty)), ...poison];
  return {
    verdict: verdictOf(owed.length, findings),
    lost: lost.length,
    reported: new Set(reported),
    waiting,
  };
}

/** Whether the delivery visibly waits: a record or row of it remains. */
function isWaiting(all: Case, duty: Duty): boolean {
  const { rows, topics, commits } = all.evidence;
  if (rows.parked.some(({ deliveryId }) => deliveryId === duty.deliveryId)) return true;
  const isUnread = (record: PlacedRecord) => {
    const position = lastPosition(commits, record.topic, record.partition);
    return position === undefined || !isFinished(position, record.offset);
  };
  if (duty.records.some((record) => record.delivery !== undefined && record.topic !== 'dlq' && isUnread(record))) {
    return true;
  }
  const { source } = duty.event;
  if (source === undefined || duty.records.length > 0) return false;
  const position = lastPosition(commits, 'ingest', source.partition);
  const isStored = topics.some(
    ({ topic, records }) => topic === 'ingest' && records.some(({ eventId }) => eventId === duty.eventId),
  );
  return isStored && (position === undefined || !isFinished(position, source.offset));
}

/** Kafka lost all it had, and the router had not archived the event: the apps report the log, not each event. */
function wasLostUnarchived({ evidence: { faults, rows, alarms } }: Case, { event, eventId }: Duty): boolean {
  const fault = faults.find(({ kind, target }) => kind === 'log_replaced' && target === 'kafka');
  if (fault === undefined || rows.events.some(({ id }) => id === eventId)) return false;
  return (event.acknowledgedAt ?? 0) <= fault.to && alarms.some(({ topic }) => topic === 'ingest');
}

/** Whether an app reported that the last record of this delivery left its log unread. */
function wasReported({ evidence: { alarms } }: Case, duty: Duty): boolean {
  const covers = (alarm: LossAlarm, topic: string, partition: number, offset: number) =>
    alarm.topic === topic && alarm.partition === partition && offset < alarm.nextOffset;
  const last = duty.records.findLast(({ delivery }) => delivery !== undefined);
  if (last) return alarms.some((alarm) => covers(alarm, last.topic, last.partition, last.offset));
  const { source, entries } = duty.event;
  const positions = [source, ...entries.map(({ position }) => position)].filter((position) => position !== undefined);
  return positions.some(({ partition, offset }) => alarms.some((alarm) => covers(alarm, 'ingest', partition, offset)));
}

function lostFinding(all: Case, duty: Duty): Finding {
  const way = wayOf(all, duty);
  return {
    kind: 'lost',
    text: `acknowledged, and ended nowhere: ${way.map(({ at, text }) => `${clock(at)} ${text}`).join('; ')}`,
    eventId: duty.eventId,
    endpointId: duty.endpoint.id,
    lastSeen: way.at(-1)?.stage ?? 'nowhere',
  };
}

/** All steps of a delivery in the order of time. The last one shows where to look for the fault. */
function wayOf({ evidence }: Case, { event, records, requests, deliveryId, eventId }: Duty): Sight[] {
  const sights: Sight[] = [];
  if (event.acknowledgedAt !== undefined) {
    sights.push({ stage: 'ledger', at: event.acknowledgedAt, text: `acknowledged over ${event.first.door}` });
  }
  const { source } = event;
  const stored = evidence.topics
    .find(({ topic }) => topic === 'ingest')
    ?.records.find((record) => record.eventId === eventId);
  if (stored) sights.push({ stage: 'ingest', at: stored.timestamp, text: placeText('ingest', stored) });
  if (evidence.rows.events.some(({ id }) => id === eventId)) {
    const at = stored?.timestamp ?? event.acknowledgedAt ?? 0;
    sights.push({
      stage: 'events',
      at,
      text: `archived${source ? ` from ingest/${source.partition}/${source.offset}` : ''}`,
    });
  }
  for (const record of records) sights.push(recordSight(record));
  for (const { arrivedAt, attempt, status, isCut } of requests) {
    const answer = status ?? (isCut ? 'cut off' : 'no answer');
    sights.push({ stage: 'receiver', at: arrivedAt, text: `attempt ${attempt} arrived: ${answer}` });
  }
  const parked = evidence.commits.findLast((sample) => sample.parked?.has(deliveryId));
  if (parked) sights.push({ stage: 'parked', at: parked.endedAt, text: 'last seen parked' });
  return sights.sort((a, b) => a.at - b.at);
}

function recordSight(record: PlacedRecord): Sight {
  const { topic, timestamp: at, delivery, attempt } = record;
  const place = placeText(topic, record);
  if (attempt)
    return { stage: 'attempts', at, text: `attempt ${attempt.attempt} told as ${attempt.outcome} (${place})` };
  if (topic === 'dlq') return { stage: 'dlq', at, text: place };
  const text = `${place} after ${delivery?.attempt ?? 0} attempts`;
  return { stage: topic === 'deliveries' ? 'deliveries' : 'retry_tier', at, text };
}

function placeText(topic: string, { partition, offset }: { partition: number; offset: number }): string {
  return `${topic}/${partition}/${offset}`;
}

function poisonLost({ evidence: { ledger, topics } }: Case): Finding[] {
  const dlq = topics.find(({ topic }) => topic === 'dlq')?.records ?? [];
  const sources = new Map<string, number>();
  for (const { dead } of dlq) if (dead) sources.set(dead.source, (sources.get(dead.source) ?? 0) + 1);
  const isSetAside = ({ position }: LedgerEntry) =>
    position === undefined || sources.has(`ingest/${position.partition}/${position.offset}`);
  return ledger
    .filter((entry) => entry.expects === 'dead_letter' && entry.outcome === 'ok' && !isSetAside(entry))
    .map(({ eventId, position }) => ({
      kind: 'poison_not_set_aside',
      text: `a poison record (ingest/${position?.partition}/${position?.offset}) has no dead letter`,
      eventId,
    }));
}
