/**
 * Which offsets of one partition are finished. Attempts finish out of order; the *watermark* is the lowest unfinished
 * offset, and the finished ones above it travel in the commit's metadata, so that a restart does not repeat them.
 */
export class Watermark {
  /** Offsets begun and not yet below the watermark, ascending; `head` is the first that still counts. */
  private begun: number[] = [];
  private head = 0;
  private readonly finished = new Set<number>();
  private readonly restored: Set<number>;
  private next: number;

  /**
   * @param start the committed offset
   * @param finishedAbove offsets above `start` that a former owner had finished
   */
  constructor(start: number, finishedAbove: Iterable<number> = []) {
    this.next = start;
    this.restored = new Set(finishedAbove);
  }

  /**
   * A record was read. Offsets that were skipped in the log (compaction, control records) count as finished.
   *
   * @returns false when it needs no work: finished by a former owner, or still held here and read a second time
   */
  begin(offset: number): boolean {
    if (offset < this.next) return false;
    this.next = offset + 1;
    if (this.restored.delete(offset)) {
      if (this.head < this.begun.length) {
        this.begun.push(offset);
        this.finished.add(offset);
      }
      return false;
    }
    this.begun.push(offset);
    return true;
  }

  /** The record at this offset needs nothing more. Repeats are ignored. */
  finish(offset: number): void {
    if (offset < this.committable) return;
    this.finished.add(offset);
    while (this.head < this.begun.length && this.finished.delete(this.begun[this.head] ?? -1)) this.head++;
    if (this.head > 1_024 && this.head * 2 > this.begun.length) {
      this.begun = this.begun.slice(this.head);
      this.head = 0;
    }
  }

  /** The lowest unfinished offset: what to commit, and where a new owner starts. */
  get committable(): number {
    return this.begun[this.head] ?? this.next;
  }

  /** Records begun and not finished. */
  get unfinished(): number {
    return this.begun.length - this.head - this.finished.size;
  }

  /** Finished offsets above the watermark, ascending. */
  finishedAbove(): number[] {
    return [...this.finished, ...this.restored].filter((offset) => offset >= this.committable).sort((a, b) => a - b);
  }
}

/** The broker refuses a longer commit metadata (measured: 4096 bytes are taken, 4097 are not). */
export const MAX_METADATA_BYTES = 4_096;

const VERSION = '1';

/**
 * Packs finished offsets into commit metadata: a version digit, then base64url of run lengths as LEB128 varints,
 * alternating unfinished and finished, from the watermark on. What does not fit is left out, highest first: a new owner
 * then repeats those attempts, but the commit itself always succeeds.
 */
export function encodeFinished(watermark: number, finished: readonly number[], maxBytes = MAX_METADATA_BYTES): string {
  const maxPacked = Math.floor(((maxBytes - VERSION.length) * 3) / 4);
  const bytes: number[] = [];
  let position = watermark;
  for (let index = 0; index < finished.length; ) {
    const first = finished[index] ?? 0;
    let last = first;
    while (finished[++index] === last + 1) last++;
    const pair = [...varint(first - position), ...varint(last - first + 1)];
    if (bytes.length + pair.length > maxPacked) break;
    bytes.push(...pair);
    position = last + 1;
  }
  return bytes.length === 0 ? '' : VERSION + Buffer.from(bytes).toString('base64url');
}

/** Reads {@link encodeFinished}. Metadata of another form or version yields none: attempts repeat, nothing is lost. */
export function decodeFinished(watermark: number, metadata: string | null | undefined): number[] {
  if (!metadata?.startsWith(VERSION)) return [];
  const bytes = Buffer.from(metadata.slice(VERSION.length), 'base64url');
  const finished: number[] = [];
  let position = watermark;
  let run = 0;
  let shift = 0;
  let isFinishedRun = false;
  for (const byte of bytes) {
    run += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte & 0x80) continue;
    if (isFinishedRun) for (let offset = position; offset < position + run; offset++) finished.push(offset);
    position += run;
    isFinishedRun = !isFinishedRun;
    run = 0;
    shift = 0;
  }
  return finished;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
