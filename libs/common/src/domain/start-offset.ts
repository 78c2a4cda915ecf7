import { type CommittedLog, decodeLog } from './commit-metadata.js';
import { decodeFinished } from './finished-runs.js';

/** A group's commit of one partition. */
export interface Committed {
  /** -1 when the group has none. */
  readonly offset: number;
  readonly metadata: string | null;
}

/** A log as its leader describes it now. */
export interface LogNow {
  readonly topicId: string | undefined;
  /** Topic id of the log that this process read before under this name. A commit without a topic id counts as one of that log. */
  readonly formerTopicId?: string | undefined;
  /** Offset of the first record. */
  readonly low: number;
  /** Offset that the next record gets. */
  readonly high: number;
  /**
   * Where the records of the committed leader epoch, or of older ones, end in this log. Undefined when the commit names no
   * epoch, or the leader does not know it.
   */
  readonly epochEnd: number | undefined;
  /** What the log says of the committed evidence; undefined when it was not asked. */
  readonly evidence: EvidenceFound | undefined;
}

export type EvidenceFound =
  | { readonly isFound: true }
  /** No record has the timestamp of the evidence. Reading continues at the first record that is older by at most the clock margin. */
  | { readonly isFound: false; readonly resumeAt: number };

/** Why a commit does not fit its log. */
export type LogChange = 'replaced' | 'truncated';

/** How far a log still has the records that its group read. */
export interface ReadExtent {
  /** Below this offset the log has them. From it on it has others, or none. */
  readonly sameUpTo: number;
  /** Whether the commit names records from `sameUpTo` on: they were read and are lost. */
  readonly isTailLost: boolean;
  /** Of the commit; undefined when that names none, or is of another log. */
  readonly leaderEpoch: number | undefined;
}

/** Where reading begins. */
export interface StartOffset {
  readonly offset: number;
  readonly finishedAbove: readonly number[];
  /** Records that retention took before they were finished. */
  readonly lostRecords: number;
  readonly change: LogChange | undefined;
  readonly extent: ReadExtent;
}

/**
 * Judges a commit by the present log. In another log, reading begins at the first record. In the same log, it continues at
 * the commit. If the log lost its tail, it continues at the first difference from the log that was read: at the end, unless
 * newer records replaced the lost ones.
 *
 * A commit of version 1 names no log. If the former topic id is known, it decides. Otherwise the log adopts the commit, unless its
 * offset exceeds `high`.
 */
export function startOffset(committed: Committed, log: LogNow): StartOffset {
  const none = { finishedAbove: [], lostRecords: 0 };
  const kept = decodeLog(committed.metadata);
  if (isReplaced(committed.offset, kept, log)) {
    const extent = { sameUpTo: log.low, isTailLost: false, leaderEpoch: undefined };
    return { ...none, offset: log.low, change: 'replaced', extent };
  }
  const resumeAt = log.evidence?.isFound === false ? log.evidence.resumeAt : undefined;
  const sameUpTo = Math.min(log.epochEnd ?? log.high, resumeAt ?? log.high, log.high);
  const extent = { sameUpTo, isTailLost: committed.offset > sameUpTo, leaderEpoch: kept?.leaderEpoch };
  if (committed.offset < 0) return { ...none, offset: log.low, change: undefined, extent };
  if (extent.isTailLost) return { ...withRetention(sameUpTo, [], log), change: 'truncated', extent };
  const named = decodeFinished(committed.offset, committed.metadata);
  const finished = named.filter((offset) => offset < sameUpTo);
  const isTailLost = finished.length < named.length;
  return {
    ...withRetention(committed.offset, finished, log),
    change: undefined,
    extent: { ...extent, isTailLost },
  };
}

function isReplaced(offset: number, kept: CommittedLog | undefined, log: LogNow): boolean {
  const keptId = kept?.topicId ?? log.formerTopicId;
  if (keptId !== undefined && log.topicId !== undefined) return keptId !== log.topicId;
  return kept?.evidence === undefined && offset > log.high;
}

function withRetention(offset: number, finished: readonly number[], { low }: LogNow) {
  const gone = finished.filter((each) => each < low).length;
  return {
    offset: Math.max(offset, low),
    finishedAbove: finished.slice(gone),
    lostRecords: Math.max(0, low - offset - gone),
  };
}
