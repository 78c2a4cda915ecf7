import type { Case, Duty, PlacedRecord } from './case.js';
import { disturbances } from './disturbances.js';
import type { CommitSample, CommittedPosition, TopicRecord } from './evidence.js';
import { clock, verdictOf } from './findings.js';
import { isFinished } from './positions.js';
import type { Finding, PromiseVerdict } from './verdict.js';

/** The broker's clock and the sampler's are read on one machine, a moment apart. */
const SAME_MOMENT_MS = 20;

/**
 * P7: a commit never finishes a record before its effects are stored, only a process that was cut off sets a commit
 * back, and no record leaves its log unread without an alarm.
 */
export function judgeProgress(all: Case): PromiseVerdict {
  const { commits } = all.evidence;
  const early = new EarlyCommits(all);
  for (const sample of commits) early.look(sample);
  const findings = [...early.findings, ...wentBack(all), ...skipped(all)];
  return verdictOf(early.checked, findings);
}

/** Checks each record once: when a commit first marks it as finished. */
class EarlyCommits {
  readonly findings: Finding[] = [];
  checked = 0;
  /** Offsets not known to be finished, ascending, by partition. */
  private readonly open = new Map<string, TopicRecord[]>();
  /** Records by their source position. */
  private readonly setAside: ReadonlyMap<string, number>;

  constructor(private readonly all: Case) {
    for (const { topic, records } of all.evidence.topics) {
      for (const record of records) {
        const name = `${topic}/${record.partition}`;
        const list = this.open.get(name);
        if (list === undefined) this.open.set(name, [record]);
        else list.push(record);
      }
    }
    const dlq = all.evidence.topics.find(({ topic }) => topic === 'dlq')?.records ?? [];
    this.setAside = new Map(dlq.flatMap(({ dead, timestamp }) => (dead ? [[dead.source, timestamp]] : [])));
  }

  look(sample: CommitSample): void {
    for (const position of sample.positions) {
      const isJudged =
        position.topic === 'ingest' || position.topic === 'deliveries' || position.topic.startsWith('retry-');
      if (isJudged && !isOfAnotherLog(this.all, position.topic, sample)) this.lookAt(position, sample);
    }
  }

  private lookAt(position: CommittedPosition, sample: CommitSample): void {
    const { topic, partition } = position;
    const left: TopicRecord[] = [];
    for (const record of this.open.get(`${topic}/${partition}`) ?? []) {
      // A record appended later belongs to another log.
      const wasThere = record.timestamp <= sample.endedAt + SAME_MOMENT_MS;
      if (!wasThere || !isFinished(position, record.offset)) left.push(record);
      else if (this.isHandedOn(topic, record, sample)) this.checked++;
      // Without parked rows in the sample, a later sample decides.
      else if (topic === 'deliveries' && sample.parked === undefined) left.push(record);
      else this.findings.push(this.tooEarly(topic, record, sample));
    }
    this.open.set(`${topic}/${partition}`, left);
  }

  private isHandedOn(topic: string, record: TopicRecord, { endedAt, parked }: CommitSample): boolean {
    const by = endedAt + SAME_MOMENT_MS;
    const setAsideAt = this.setAside.get(`${topic}/${record.partition}/${record.offset}`);
    if (setAsideAt !== undefined && setAsideAt <= by) return true;
    if (this.wasReportedLost(topic, record)) return true;
    if (topic === 'ingest') return this.isFannedOut(record, by);
    const { delivery } = record;
    if (delivery === undefined) return false;
    if (topic === 'deliveries' && parked?.has(delivery.deliveryId)) return true;
    const duty = this.all.byDelivery.get(delivery.deliveryId);
    return duty === undefined || wentOn(duty, topic, record, by) || this.wasBroughtBack(duty, endedAt);
  }

  /**
   * A restored database lacks some heads: a later delivery of the lane becomes the head, and the return of the lost one
   * is stale. The rebuild after the restore sends it again.
   */
  private wasBroughtBack({ records }: Duty, finishedAt: number): boolean {
    const { restored } = this.all.evidence;
    if (restored === undefined || finishedAt < restored.at) return false;
    const isAgain = ({ topic, delivery, timestamp }: PlacedRecord) =>
      topic === 'deliveries' &&
      delivery?.returned === false &&
      restored.rebuilds.some(({ from, to }) => finishedAt <= to && timestamp >= from && timestamp <= to);
    return records.some(isAgain);
  }

  private wasReportedLost(topic: string, { partition, offset }: TopicRecord): boolean {
    return this.all.evidence.alarms.some(
      (alarm) => alarm.topic === topic && alarm.partition === partition && offset < alarm.nextOffset,
    );
  }

  /** Checks that each endpoint of an event has its delivery. A duplicate needs none. */
  private isFannedOut(record: TopicRecord, by: number): boolean {
    const { eventId, offset, partition, dead } = record;
    if (eventId === undefined || dead !== undefined) return true;
    const duties = this.all.duties.filter((duty) => duty.eventId === eventId);
    const { source } = duties[0]?.event ?? {};
    if (source === undefined || source.offset !== offset || source.partition !== partition) return true;
    const isThere = (duty: Duty) =>
      duty.records.some(({ topic, timestamp }) => topic === 'deliveries' && timestamp <= by);
    return duties.filter(({ isOwed }) => isOwed).every(isThere);
  }

  private tooEarly(topic: string, record: TopicRecord, { endedAt }: CommitSample): Finding {
    const { partition, offset, delivery, eventId } = record;
    return {
      kind: 'committed_too_early',
      text: `${topic}/${partition}/${offset}${describe(delivery)} was committed by ${clock(endedAt)}, and nothing it causes was stored`,
      ...((delivery?.eventId ?? eventId) ? { eventId: delivery?.eventId ?? eventId ?? '' } : {}),
    };
  }
}

function describe(delivery: TopicRecord['delivery']): string {
  if (delivery === undefined) return '';
  const { deliveryId, attempt, replay, returned } = delivery;
  return ` (${deliveryId}, ${returned ? 'a return' : 'a first'} after ${attempt} attempts of life ${replay})`;
}

/** During the replacement of a log, its commits may still be those of the former log. */
function isOfAnotherLog({ evidence: { faults } }: Case, topic: string, { beganAt, endedAt }: CommitSample): boolean {
  return faults.some(
    ({ kind, target, from, to }) => kind === 'new_log' && target === topic && endedAt >= from && beganAt <= to,
  );
}

/**
 * Whether the effects of a delivery's record are stored by then: its attempt, and the next record of an unfinished
 * delivery.
 */
function wentOn({ records }: Duty, topic: string, from: TopicRecord, by: number): boolean {
  const { attempt, replay } = lifeOf(from);
  const stored = records.filter(({ timestamp }) => timestamp <= by);
  if (stored.some((record) => record.topic === 'dlq' && (record.delivery?.replay ?? 0) >= replay)) return true;
  const isLater = (record: TopicRecord) => {
    const { delivery } = record;
    return delivery !== undefined && (delivery.replay > replay || delivery.attempt > attempt);
  };
  if (stored.some((record) => record.topic !== 'dlq' && isLater(record))) return true;
  if (topic !== 'deliveries') {
    return stored.some(
      (record) =>
        record.topic !== topic &&
        record.delivery?.replay === replay &&
        record.delivery.attempt === attempt &&
        record.timestamp >= from.timestamp &&
        (record.topic === 'deliveries' ? record.delivery.returned : true),
    );
  }
  return stored.some(
    (record) => record.attempt !== undefined && record.attempt.outcome !== 'retry' && record.attempt.replay >= replay,
  );
}

/** A replayed dead letter begins another life. */
function lifeOf({ delivery, dead }: TopicRecord): { attempt: number; replay: number } {
  const { attempt = 0, replay = 0 } = delivery ?? {};
  return dead === undefined ? { attempt, replay } : { attempt: 0, replay: replay + 1 };
}

function wentBack(all: Case): Finding[] {
  const { evidence } = all;
  const windows = disturbances(evidence).filter(({ hitsAttempts }) => hitsAttempts);
  const highest = new Map<string, number>();
  return evidence.commits.flatMap((sample) =>
    sample.positions.flatMap(({ group, topic, partition, offset }): Finding[] => {
      const { endedAt } = sample;
      if (isOfAnotherLog(all, topic, sample)) return [];
      const former = evidence.faults.filter(
        ({ kind, target, to }) => kind === 'new_log' && target === topic && to < endedAt,
      );
      const name = `${group} ${topic}/${partition}, log ${former.length}`;
      const before = highest.get(name) ?? -1;
      highest.set(name, Math.max(before, offset));
      const mayGoBack = windows.some(({ from, to }) => endedAt >= from && endedAt <= to);
      if (offset >= before || mayGoBack) return [];
      return [{ kind: 'commit_went_back', text: `${name} went from ${before} to ${offset} by ${clock(endedAt)}` }];
    }),
  );
}

/** Readers must report unfinished records that retention deleted. */
function skipped({ evidence: { topics, commits, alarms, faults } }: Case): Finding[] {
  return faults
    .filter(({ kind }) => kind === 'retention')
    .flatMap((fault) => {
      const before = commits.findLast(({ endedAt }) => endedAt <= fault.to);
      return topics.flatMap(({ topic, partitions }) =>
        partitions.flatMap(({ partition, start }): Finding[] => {
          const isHere = (each: { topic: string; partition: number }) =>
            each.topic === topic && each.partition === partition;
          const position = before?.positions.find(isHere);
          if (position === undefined || !lacks(position, start) || alarms.some(isHere)) return [];
          const text = `${topic}/${partition} begins at ${start}; what its reader had not finished below it, from ${position.offset} on, is gone, and no app said so`;
          return [{ kind: 'skipped_silently', text }];
        }),
      );
    });
}

function lacks({ offset, finishedAbove }: CommittedPosition, start: number): boolean {
  return finishedAbove.filter((each) => each < start).length < start - offset;
}
