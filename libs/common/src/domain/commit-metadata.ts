import { MAX_METADATA_BYTES, packRuns } from './finished-runs.js';

/** The log that a commit belongs to. */
export interface CommittedLog {
  /** Kafka's topic id; undefined where the broker has none. */
  readonly topicId: string | undefined;
  /** The highest leader epoch among the records read before the commit; undefined when none was read. */
  readonly leaderEpoch: number | undefined;
  /** A record below the watermark. It distinguishes two logs where there are no ids. */
  readonly evidence: LogEvidence | undefined;
}

/** A record that the log held: its offset, and the time the broker gave it, in ms. */
export interface LogEvidence {
  readonly offset: number;
  readonly timestamp: number;
}

const VERSION = 'ph2';
const FIELDS = /^ph2:([A-Za-z0-9_-]*):(\d{0,10}):(?:(\d{1,16})\.(\d{1,16}))?:[A-Za-z0-9_-]*$/;

/**
 * Commit metadata of version 2: `ph2:<topic id>:<leader epoch>:<offset>.<timestamp>:<finished runs>`. Fields without a value
 * are empty. A process of the release before reads no finished offsets from it: it repeats those attempts and loses nothing.
 */
export function encodeCommit(log: CommittedLog, watermark: number, finished: readonly number[]): string {
  const { topicId = '', leaderEpoch = '', evidence } = log;
  const record = evidence ? `${evidence.offset}.${evidence.timestamp}` : '';
  const head = `${VERSION}:${topicId}:${leaderEpoch}:${record}:`;
  return head + packRuns(watermark, finished, MAX_METADATA_BYTES - head.length);
}

/** Whether Posthorn wrote a commit, in this release or an earlier one. Resets and other programs write other metadata. */
export function isOwnCommit(metadata: string | null | undefined): boolean {
  return metadata != null && /^ph[12]:/.test(metadata);
}

/** A broker's int32, and PostgreSQL's `int`. */
const MAX_EPOCH = 2_147_483_647;

/**
 * Reads the log of {@link encodeCommit}.
 *
 * @returns undefined for a commit of version 1 or of another tool, or with a number out of range: any member of the group
 *   writes one
 */
export function decodeLog(metadata: string | null | undefined): CommittedLog | undefined {
  const fields = metadata ? FIELDS.exec(metadata) : null;
  if (!fields) return undefined;
  const [, topicId, epoch, offset, timestamp] = fields;
  const isInRange =
    Number(epoch) <= MAX_EPOCH &&
    Number(offset ?? 0) <= Number.MAX_SAFE_INTEGER &&
    Number(timestamp ?? 0) <= Number.MAX_SAFE_INTEGER;
  if (!isInRange) return undefined;
  return {
    topicId: topicId || undefined,
    leaderEpoch: epoch ? Number(epoch) : undefined,
    evidence: offset && timestamp ? { offset: Number(offset), timestamp: Number(timestamp) } : undefined,
  };
}
