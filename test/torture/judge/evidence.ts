import type { BreakerState } from '../../../libs/common/src/domain/breaker.js';
import type { Ordering } from '../../../libs/common/src/domain/lane.js';
import type { DeadReason } from '../../../libs/common/src/domain/verdict.js';
import type { AttemptRecord } from '../../../libs/common/src/records/attempt-record.js';
import type { DeliveryMeta } from '../../../libs/common/src/records/delivery-record.js';
import type { FaultKind } from './fault-kind.js';

/*
 * What a torture run leaves behind, as plain values. All times are ms since the epoch of the machine's own clock; a clock
 * that a fault moves is an app's, never one that writes evidence.
 */

/** Everything the judge looks at, read when the system is quiet, or when waiting for that was given up. */
export interface Evidence {
  readonly run: Run;
  readonly endpoints: readonly EndpointUnderTest[];
  readonly ledger: readonly LedgerEntry[];
  /** In the order of arrival. */
  readonly requests: readonly ReceivedRequest[];
  readonly rows: PostgresRows;
  readonly topics: readonly TopicContents[];
  /** In the order of time. */
  readonly commits: readonly CommitSample[];
  readonly processes: readonly ProcessEvent[];
  readonly faults: readonly FaultEvent[];
  /** Losses that the apps themselves reported, from their logs. */
  readonly alarms: readonly LossAlarm[];
  readonly restored?: RestoredDatabase | undefined;
}

/** A database that was restored from a backup. */
export interface RestoredDatabase {
  /** When it was there again, before any app used it. ms since the epoch. */
  readonly at: number;
  /** Ids of deliveries that waited in it as heads or parked rows. They may be sent again: the backup does not know their end. */
  readonly waiting: ReadonlySet<string>;
  /** When rebuilds ran: dispatchers took their logs over again, so that attempts under way may be repeated. */
  readonly rebuilds: readonly { readonly from: number; readonly to: number }[];
  /** Lanes that `npm run rebuild` listed: later deliveries went before those that it brought back. */
  readonly overtaken: ReadonlySet<string>;
}

export const PROMISES = ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8'] as const;
export type PromiseName = (typeof PROMISES)[number];

export interface Run {
  readonly name: string;
  readonly seed: number;
  readonly startedAt: number;
  /** When the last event was asked to be taken. */
  readonly loadEndedAt: number;
  /** When everything that was broken was whole again: the end of the last fault. `startedAt` without a fault. */
  readonly healedAt: number;
  /** When nothing was left to do; undefined when that did not happen in the time allowed. */
  readonly quietAt: number | undefined;
  readonly readAt: number;
  readonly budgets: Budgets;
  /** Promises this run is there to try: a run that had nothing to judge one of them by is void. P1 to P3 always are. */
  readonly mustJudge: readonly PromiseName[];
}

/** What the promises permit in this run. */
export interface Budgets {
  /**
   * Requests beyond those that were needed. `explained` permits what the evidence accounts for: attempts in flight, or
   * finished and not yet committed, when a process was killed or cut off, and records whose produce lost its answer.
   */
  readonly duplicates: number | 'explained';
  /** Repeats of an event after a later one of its lane was accepted: only what a frozen or cut off process had begun. */
  readonly staleRepeats: number | 'explained';
  /** Longest time without a single arrival while deliveries are due. */
  readonly stallMs: number;
  /** From the end of the last fault until everything acknowledged is delivered or dead, and nothing waits. */
  readonly healMs: number;
  /** Longest first attempt of an endpoint that no fault aims at, from its acknowledgement; undefined judges no P4. */
  readonly isolationMs: number | undefined;
}

export interface EndpointUnderTest {
  readonly id: string;
  readonly tenant: string;
  /** Path at the receiver. */
  readonly path: string;
  /** As given to the API. */
  readonly eventTypes: readonly string[];
  readonly ordering: Ordering;
  /** Attempts its policy allows a delivery. */
  readonly attempts: number;
  /** Events acknowledged from here on are for it: its creation, and the 500 ms until every router knows. */
  readonly activeFrom: number;
  /** When it was deleted or disabled; what was acknowledged later is not for it. */
  readonly activeUntil: number | undefined;
  /** Whether it is itself the fault: it fails, hangs or is slow. The others must not notice. */
  readonly isBad: boolean;
  /** Whether deliveries may be parked when the run ends, since the run leaves it paused or broken. */
  readonly mayWait: boolean;
}

/**
 * One try to hand an event in; an event that is tried again with the same id has several. Ids are unique over a run's
 * tenants. `fail` is a refusal that took nothing (4xx, a connection refused); `unknown` an answer that never came, and
 * every 5xx: the event may have been taken.
 */
export interface LedgerEntry {
  readonly eventId: string;
  readonly tenant: string;
  readonly type: string;
  readonly resourceId: string | undefined;
  /** Position among the events of its resource: a resource's events are handed in one after the other. */
  readonly number: number;
  readonly door: 'http' | 'kafka';
  readonly invokedAt: number;
  /** Undefined for an answer that never came. */
  readonly endedAt: number | undefined;
  readonly outcome: 'ok' | 'fail' | 'unknown';
  /** What was answered, or the error. */
  readonly detail: string;
  /** Where Kafka said that it put the record; direct produces only. */
  readonly position: { readonly partition: number; readonly offset: number } | undefined;
  /** `dead_letter` for a record nobody can understand: it must be set aside, and nothing sent. */
  readonly expects: 'delivery' | 'dead_letter';
}

/** One request as the receiver saw it. `line` numbers are of its log, which tells what came first. */
export interface ReceivedRequest {
  readonly arrivedLine: number;
  readonly arrivedAt: number;
  /** When the answer was written, or the sender broke off; undefined when the run ended before either. */
  readonly endedLine: number | undefined;
  readonly endedAt: number | undefined;
  readonly endpointId: string;
  /** From the body. */
  readonly eventId: string;
  readonly resourceId: string | undefined;
  /** The event's offset in `ingest`, from the body. */
  readonly sequence: number;
  readonly webhookId: string;
  /** 1-based, from the header `webhook-attempt`. */
  readonly attempt: number;
  /** What was answered; undefined when nothing was. */
  readonly status: number | undefined;
  readonly isSigned: boolean;
  /** The sender broke off, or the receiver was told to, before the answer was written. */
  readonly isCut: boolean;
}

export interface PostgresRows {
  readonly events: readonly EventRow[];
  readonly deliveries: readonly DeliveryRow[];
  readonly attempts: readonly AttemptRow[];
  /** Lanes with a head; those that are over are evidence only. */
  readonly heads: readonly LaneHead[];
  readonly parked: readonly ParkedRow[];
  readonly deadLetters: readonly DeadLetterRow[];
  /** Records that PostgreSQL still owes to Kafka. */
  readonly outboxRows: number;
}

export interface EventRow {
  readonly tenant: string;
  readonly id: string;
  readonly sourcePartition: number | undefined;
  readonly sourceOffset: number | undefined;
  readonly endpointIds: readonly string[];
}

export interface DeliveryRow {
  readonly id: string;
  readonly eventId: string;
  readonly endpointId: string;
  readonly lane: string;
  readonly status: 'delivered' | 'retrying' | 'dead' | 'pending';
  readonly deadReason: string | undefined;
  readonly replay: number;
  readonly attempts: number;
}

export interface AttemptRow {
  readonly deliveryId: string;
  readonly replay: number;
  readonly attempt: number;
  readonly at: number;
  readonly statusCode: number | undefined;
  readonly error: string | undefined;
  readonly outcome: string;
}

export interface LaneHead {
  readonly lane: string;
  readonly deliveryId: string;
  readonly attempt: number;
}

export interface ParkedRow {
  readonly lane: string;
  readonly place: number;
  readonly deliveryId: string;
}

export interface DeadLetterRow {
  /** Of its record in `dlq`. */
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly eventId: string | undefined;
  readonly endpointId: string | undefined;
  readonly deliveryId: string | undefined;
  readonly isReplayed: boolean;
}

/** All that a topic still holds, and where its partitions begin and end. */
export interface TopicContents {
  /** Without prefix. */
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly start: number; readonly end: number }[];
  /** By partition, then by offset. */
  readonly records: readonly TopicRecord[];
}

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  /** When the broker appended it. */
  readonly timestamp: number;
  readonly key: string | undefined;
  /** Of a record of `ingest`: its event's id, when it has one that can be read. */
  readonly eventId: string | undefined;
  /** Of a record of `deliveries`, a tier or `dlq`. */
  readonly delivery: DeliveryMeta | undefined;
  /** Of a record of `attempts`. */
  readonly attempt: AttemptRecord | undefined;
  /** Of a record of `dlq`, and of one that was put back by somebody. `source` is `topic/partition/offset`. */
  readonly dead: { readonly reason: DeadReason; readonly source: string } | undefined;
  /** Of a record of `endpoints`; undefined for a tombstone. */
  readonly breaker: BreakerState | undefined;
}

/** What the groups had committed and PostgreSQL held, taken together while the run went on. */
export interface CommitSample {
  /** Before the first of both was asked. */
  readonly beganAt: number;
  /** After both were there. Commits are asked first: what was parked before them may have been delivered since. */
  readonly endedAt: number;
  readonly positions: readonly CommittedPosition[];
  /** Ids of parked deliveries; undefined while PostgreSQL was away. A lane's head is in a tier, or nowhere. */
  readonly parked: ReadonlySet<string> | undefined;
}

export interface CommittedPosition {
  /** Without prefix. */
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The next offset to read; every one below it is finished. */
  readonly offset: number;
  /** Offsets above it that the commit's metadata calls finished. */
  readonly finishedAbove: readonly number[];
}

export const APPS = ['ingest', 'control', 'dispatcher', 'retry-scheduler'] as const;
export type AppName = (typeof APPS)[number];

export interface ProcessEvent {
  readonly at: number;
  /** E.g. `dispatcher-1`, `kafka`, `postgres`. */
  readonly process: string;
  readonly app: AppName | 'kafka' | 'postgres';
  /** `stopping` is SIGTERM; `stopped` the end that follows it; `exited` an end nobody asked for. */
  readonly kind: 'started' | 'ready' | 'stopping' | 'stopped' | 'killed' | 'frozen' | 'continued' | 'exited';
}

/** One thing that was broken on purpose. It counts only if it really happened, and hit work. */
export interface FaultEvent {
  readonly kind: FaultKind;
  /** The process, the link (`dispatcher-0→kafka`), the endpoint or the topic that was hit. */
  readonly target: string;
  readonly from: number;
  /** When it was healed; equal to `from` for what happens at once. */
  readonly to: number;
  /** How often it took effect: processes signalled, answers dropped, connections cut, records written. 0: it did not fire. */
  readonly fired: number;
  /** Work under way at what it hit, when it hit: requests, deliveries, records. 0: it proved nothing. */
  readonly inFlight: number;
}

/** `log.records_lost_to_retention`, as an app reported it. */
export interface LossAlarm {
  readonly at: number;
  readonly process: string;
  readonly topic: string;
  readonly partition: number;
  readonly lostRecords: number;
  /** Where reading goes on: what is lost lies below. */
  readonly nextOffset: number;
}
