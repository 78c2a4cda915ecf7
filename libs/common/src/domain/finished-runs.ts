/** The broker refuses a longer commit metadata (measured: 4096 bytes are taken, 4097 are not). */
export const MAX_METADATA_BYTES = 4_096;

/** Commit metadata of version 1: finished offsets and nothing else. */
const VERSION = 'ph1:';
/** What any other tool left with a commit is not taken for offsets: that would lose records. */
const ENCODED = /^(?:ph1:|ph2:(?:[^:]*:){3})([A-Za-z0-9_-]*)$/;

/** Most offsets taken from metadata, so that another program's commit cannot fill the memory. */
const MAX_DECODED = 1_000_000;

/** Commit metadata of version 1: {@link packRuns} behind its version. Empty when nothing is finished. */
export function encodeFinished(watermark: number, finished: readonly number[], maxBytes = MAX_METADATA_BYTES): string {
  const packed = packRuns(watermark, finished, maxBytes - VERSION.length);
  return packed === '' ? '' : VERSION + packed;
}

/**
 * Packs finished offsets: base64url of run lengths as LEB128 varints, alternating unfinished and finished, from the
 * watermark on. Offsets that do not fit are left out, highest first: a new owner repeats their attempts, and the commit
 * succeeds.
 */
export function packRuns(watermark: number, finished: readonly number[], maxBytes: number): string {
  const maxPacked = Math.floor((maxBytes * 3) / 4);
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
  return Buffer.from(bytes).toString('base64url');
}

/** Reads the finished offsets of both versions. Other metadata yields none: attempts repeat, nothing is lost. */
export function decodeFinished(watermark: number, metadata: string | null | undefined): number[] {
  const packed = metadata ? ENCODED.exec(metadata)?.[1] : undefined;
  if (!packed) return [];
  const bytes = Buffer.from(packed, 'base64url');
  const finished: number[] = [];
  let position = watermark;
  let run = 0;
  let shift = 0;
  let isFinishedRun = false;
  for (const byte of bytes) {
    run += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte & 0x80) continue;
    // Above the last exact number an offset plus one is the same offset: a run would never end.
    if (position + run > Number.MAX_SAFE_INTEGER) return finished;
    if (isFinishedRun && finished.length + run > MAX_DECODED) return finished;
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
