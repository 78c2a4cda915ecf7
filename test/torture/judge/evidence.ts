import type { BreakerState } from '../../../libs/common/src/domain/breaker.js';
import type { Ordering } from '../../../libs/common/src/domain/lane.js';
import type { DeadReason } from '../../../libs/common/src/domain/verdict.js';
import type { AttemptRecord } from '../../../libs/common/src/records/attempt-record.js';
import type { DeliveryMeta } from '../../../libs/common/src/records/delivery-record.js';
import type { FaultKind } from './fault-kind.js';

/*
 * The evidence of a torture run, as plain values. All times are ms since the epoch by the machine's clock. A fault
 * moves only the clocks of apps, never of processes that write evidence.
 */

/** All evidence for the judge, read when the system is quiet, or after the limit for that. */
export interface Evidence {
  readonly run: Run;
  readonly endpoints: readonly EndpointUnderTest[];
  readonly ledger: readonly LedgerEntry[];
  /** Requests in the order of arrival. */
  readonly requests: readonly ReceivedRequest[];
  readonly rows: PostgresRows;
  readonly topics: readonly TopicContents[];
  /** Entries in the order of time. */
  readonly commits: readonly CommitSample[];
  readonly processes: readonly ProcessEvent[];
  readonly faults: readonly FaultEvent[];
  /** Losses that the apps reported in their logs. */
  readonly alarms: readonly LossAlarm[];
  readonly restored?: RestoredDatabase | undefined;
}

/** A database that was restored from a backup. */
export interface RestoredDatabase {
  /** Time of the restore, before any app used the database. ms since the epoch. */
  readonly at: number;
  /** Ids of the backup's heads and parked deliveries. They may repeat, since the backup lacks their end. */
  readonly waiting: ReadonlySet<string>;
  /** Times of rebuilds. Dispatchers take over their logs again, so attempts in flight may repeat. */
  readonly rebuilds: readonly { readonly from: number; readonly to: number }[];
  /** Overtaken lanes that `npm run rebuild` listed. */
  readonly overtaken: ReadonlySet<string>;
}

export const PROMISES = ['P1', 'P2', 'P3', 'P4', 'P5', 'P6', 'P7', 'P8'] as const;
export type PromiseName = (typeof PROMISES)[number];

export interface Run {
  readonly name: string;
  readonly seed: number;
  readonly startedAt: number;
  /** Time of the last publish. */
  readonly loadEndedAt: number;
  /** End of the last fault. `startedAt` without a fault. */
  readonly healedAt: number;
  /** Time at which the system was quiet; undefined after the limit. */
  readonly quietAt: number | undefined;
  readonly readAt: number;
  readonly budgets: Budgets;
  /** Promises that the run tests. Without evidence for one of them, the run is void. P1 to P3 are always tested. */
  readonly mustJudge: readonly PromiseName[];
}

/** Budgets of the promises in this run. */
export interface Budgets {
  /**
   * Repeats. `explained` permits those that the evidence explains: attempts that were in flight, or finished and not
   * committed, at a kill or cut of a process, and records whose acknowledgement was lost.
   */
  readonly duplicates: number | 'explained';
  /** Repeats after a later event of the lane was accepted: only attempts that a frozen or cut off process began. */
  readonly staleRepeats: number | 'explained';
  /** Longest time without a single arrival while deliveries are due. */
  readonly stallMs: number;
  /** Longest time from the end of the last fault until every acknowledged event is delivered or dead. */
  readonly healMs: number;
  /** Longest time from acknowledgement to first attempt at an endpoint without a fault; undefined skips P4. */
  readonly isolationMs: number | undefined;
}

export interface EndpointUnderTest {
  readonly id: string;
  readonly tenant: string;
  /** Path at the receiver. */
  readonly path: string;
  /** As in the API. */
  readonly eventTypes: readonly string[];
  readonly ordering: Ordering;
  /** Attempts its policy allows a delivery. */
  readonly attempts: number;
  /** Time from which acknowledged events belong to it: its creation, plus the 500 ms until every router has it. */
  readonly activeFrom: number;
  /** Time at which it was deleted or disabled. Events acknowledged later do not belong to it. */
  readonly activeUntil: number | undefined;
  /** Whether the endpoint is a fault: it fails, hangs or is slow. */
  readonly isBad: boolean;
  /** Whether deliveries may be parked at the end, because the run leaves the endpoint paused or failing. */
  readonly mayWait: boolean;
}

/**
 * One publish of an event; an event that is published again has several. Ids are unique over a run's tenants. `fail`:
 * the event is certainly not stored (4xx, a refused connection). `unknown`: no answer, or a 5xx; the event may be
 * stored.
 */
export interface LedgerEntry {
  readonly eventId: string;
  readonly tenant: string;
  readonly type: string;
  readonly resourceId: string | undefined;
  /** Number among the events of its resource, which are published one after the other. */
  readonly number: number;
  readonly door: 'http' | 'kafka';
  readonly invokedAt: number;
  /** Time of the answer; undefined without one. */
  readonly endedAt: number | undefined;
  readonly outcome: 'ok' | 'fail' | 'unknown';
  /** The answer, or the error. */
  readonly detail: string;
  /** Kafka's position of the record; only for direct produces. */
  readonly position: { readonly partition: number; readonly offset: number } | undefined;
  /** `dead_letter` for a poison record: it must go to `dlq`, without an attempt. */
  readonly expects: 'delivery' | 'dead_letter';
}

/** One request at the receiver. `line` numbers of its log order the requests. */
export interface ReceivedRequest {
  readonly arrivedLine: number;
  readonly arrivedAt: number;
  /** Time of the response, or of the sender's disconnect; undefined when the run ended before. */
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
  /** Response status; undefined without a response. */
  readonly status: number | undefined;
  readonly isSigned: boolean;
  /** True when sender or receiver closed the connection before the response. */
  readonly isCut: boolean;
}

export interface PostgresRows {
  readonly events: readonly EventRow[];
  readonly deliveries: readonly DeliveryRow[];
  readonly attempts: readonly AttemptRow[];
  /** Lanes with a head. */
  readonly heads: readonly LaneHead[];
  readonly parked: readonly ParkedRow[];
  readonly deadLetters: readonly DeadLetterRow[];
  /** Number of rows in the outbox. */
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
  /** Position of its record in `dlq`. */
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly eventId: string | undefined;
  readonly endpointId: string | undefined;
  readonly deliveryId: string | undefined;
  readonly isReplayed: boolean;
}

/** The present records of a topic, with the start and end of each partition. */
export interface TopicContents {
  /** Name without prefix. */
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly start: number; readonly end: number }[];
  /** Sorted by partition and offset. */
  readonly records: readonly TopicRecord[];
}

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  /** Append time. */
  readonly timestamp: number;
  readonly key: string | undefined;
  /** For `ingest`: the event id, if readable. */
  readonly eventId: string | undefined;
  /** For `deliveries`, a tier or `dlq`. */
  readonly delivery: DeliveryMeta | undefined;
  /** For `attempts`. */
  readonly attempt: AttemptRecord | undefined;
  /** For `dlq`, and replayed records. `source` is `topic/partition/offset`. */
  readonly dead: { readonly reason: DeadReason; readonly source: string } | undefined;
  /** For `endpoints`; undefined for a tombstone. */
  readonly breaker: BreakerState | undefined;
}

/** A sample of the groups' commits and PostgreSQL's parked rows during the run. */
export interface CommitSample {
  /** Time before the first query. */
  readonly beganAt: number;
  /** Time after both answers. Commits are read first: rows parked before may be delivered since. */
  readonly endedAt: number;
  readonly positions: readonly CommittedPosition[];
  /** Ids of parked deliveries; undefined without an answer from PostgreSQL. Heads are not included. */
  readonly parked: ReadonlySet<string> | undefined;
}

export interface CommittedPosition {
  /** Name without prefix. */
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  /** The watermark: every lower offset is finished. */
  readonly offset: number;
  /** Finished offsets above the watermark, from the commit's metadata. */
  readonly finishedAbove: readonly number[];
}

export const APPS = ['ingest', 'control', 'dispatcher', 'retry-scheduler'] as const;
export type AppName = (typeof APPS)[number];

export interface ProcessEvent {
  readonly at: number;
  /** E.g. `dispatcher-1`, `kafka`, `postgres`. */
  readonly process: string;
  readonly app: AppName | 'kafka' | 'postgres';
  /** `stopping`: SIGTERM; `stopped`: the end after it; `exited`: an unexpected end. */
  readonly kind: 'started' | 'ready' | 'stopping' | 'stopped' | 'killed' | 'frozen' | 'continued' | 'exited';
}

/** One fault. It counts only if it fired, and hit work in flight. */
export interface FaultEvent {
  readonly kind: FaultKind;
  /** The process, the link (`dispatcher-0→kafka`), the endpoint or the topic of the fault. */
  readonly target: string;
  readonly from: number;
  /** End of the fault; equal to `from` for instant faults. */
  readonly to: number;
  /** Number of effects, e.g. processes signalled, answers dropped, records written. 0: the fault did not fire. */
  readonly fired: number;
  /** Work in flight at the time of the fault: requests, deliveries, records. 0: the fault proved nothing. */
  readonly inFlight: number;
}

/** `log.records_lost_to_retention`, as an app reported it. */
export interface LossAlarm {
  readonly at: number;
  readonly process: string;
  readonly topic: string;
  readonly partition: number;
  readonly lostRecords: number;
  /** Offset at which reading continues: lost records are below. */
  readonly nextOffset: number;
}
