/** One partition at one look. Offsets are the broker's, except `position`. */
export interface StallSample {
  /** `topic/partition`. */
  readonly name: string;
  /** The topic does not exist. Nothing else of the sample counts then. */
  readonly isMissing?: boolean;
  /** The last stable offset: consumers can read up to here. */
  readonly stable: number;
  readonly commit: number;
  /** The offset this process reads next. */
  readonly position: number;
  /** Records read and not finished. A change is progress, as records were read or finished. */
  readonly unfinished: number;
  readonly isPaused: boolean;
  /** The reason that stops any consumer of this partition: no leader, a rebalance. */
  readonly outage?: string | undefined;
  /** The app's reason to wait. It explains unfinished records and a pause. It never explains a partition that is not read. */
  readonly hold?: string | undefined;
}

/** A partition that has lag, and neither progress nor a reason. */
export interface Stall {
  readonly name: string;
  readonly kind: 'missing' | 'not read' | 'not finished';
  readonly sample: StallSample;
  readonly stalledMs: number;
  /** This look is the first one beyond the limit. */
  readonly isNew: boolean;
  /** Twice the limit has passed. */
  readonly isLong: boolean;
}

export interface StallLimits {
  /** A partition may stand still this long. */
  readonly stallMs: number;
  /** Two looks further apart than this say nothing about the time between them: the process was suspended. */
  readonly longestGapMs: number;
}

interface Standing {
  readonly sample: StallSample;
  readonly stalledMs: number;
}

/** Failed looks in a row after which the broker counts as unreachable, which explains every stall. */
const FAILURES_OF_AN_OUTAGE = 2;

/** Finds partitions that stand still. Deterministic and free of I/O; the caller passes a monotonic clock. */
export class StallWatch {
  private standings = new Map<string, Standing>();
  private lookedAt: number | undefined;
  private failures = 0;

  constructor(private readonly limits: StallLimits) {}

  /** @returns the stalled partitions, in the order of the samples */
  look(nowMs: number, samples: readonly StallSample[]): Stall[] {
    const gapMs = this.gapMs(nowMs);
    this.lookedAt = nowMs;
    this.failures = 0;
    const before = this.standings;
    this.standings = new Map(samples.map((sample) => [sample.name, standing(before.get(sample.name), sample, gapMs)]));
    return samples.flatMap((sample) => this.stallOf(sample, before.get(sample.name)));
  }

  /** A look failed. One failure does not count; more of them in a row are an outage of the broker. */
  lookFailed(nowMs: number): void {
    this.lookedAt = nowMs;
    this.failures++;
    if (this.failures >= FAILURES_OF_AN_OUTAGE) this.standings.clear();
  }

  private gapMs(nowMs: number): number {
    const gapMs = nowMs - (this.lookedAt ?? nowMs);
    return gapMs > this.limits.longestGapMs ? 0 : gapMs;
  }

  private stallOf(sample: StallSample, before: Standing | undefined): Stall[] {
    const { stallMs } = this.limits;
    const stalledMs = this.standings.get(sample.name)?.stalledMs ?? 0;
    const kind = kindOf(sample);
    if (kind === undefined || stalledMs < stallMs) return [];
    const isNew = (before?.stalledMs ?? 0) < stallMs;
    return [{ name: sample.name, kind, sample, stalledMs, isNew, isLong: stalledMs >= 2 * stallMs }];
  }
}

function standing(before: Standing | undefined, sample: StallSample, gapMs: number): Standing {
  const isStill = before !== undefined && kindOf(sample) !== undefined && !hasMoved(before.sample, sample);
  return { sample, stalledMs: isStill ? before.stalledMs + gapMs : 0 };
}

/** @returns the kind of stall; undefined without work, or when a reason explains it */
function kindOf(sample: StallSample): Stall['kind'] | undefined {
  const { stable, commit, position, unfinished, isPaused, outage, hold } = sample;
  if (outage !== undefined) return undefined;
  if (sample.isMissing) return 'missing';
  const isReadToTheEnd = position >= stable;
  // The commit may stay below the end: control records and aborted records need no commit.
  if (commit >= stable || (isReadToTheEnd && unfinished === 0)) return undefined;
  if (!isReadToTheEnd && !isPaused) return 'not read';
  return hold === undefined ? 'not finished' : undefined;
}

function hasMoved(before: StallSample, now: StallSample): boolean {
  return (
    before.isMissing !== now.isMissing ||
    before.commit !== now.commit ||
    before.position !== now.position ||
    before.unfinished !== now.unfinished
  );
}

/** The end of a process for a stalled partition, as it is remembered. Offsets as they were then. */
export interface StallEnd {
  /** ms since the epoch. */
  readonly at: number;
  readonly commit: number;
  readonly stable: number;
}

/** Least time between two ends of processes for one partition. */
const LEAST_MS_BETWEEN_ENDS = 600_000;

/**
 * Whether a process may end for a stalled partition, so that its supervisor starts it again.
 *
 * @param last the end before, by whichever process
 * @returns undefined when it may, else why not
 */
export function endRefusal(last: StallEnd | undefined, now: StallEnd): string | undefined {
  if (last === undefined) return undefined;
  if (Math.abs(now.at - last.at) < LEAST_MS_BETWEEN_ENDS) return 'a process has ended for it within ten minutes';
  if (last.commit === now.commit && last.stable === now.stable) return 'a restart has changed nothing';
  return undefined;
}
