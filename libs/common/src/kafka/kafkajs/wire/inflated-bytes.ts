import { MalformedBytesError } from './byte-reader.js';

/** The inflated data exceed the limit. */
export class InflatedTooLargeError extends Error {
  constructor(maxBytes: number) {
    super(`it inflates to more than ${maxBytes} bytes`);
  }
}

/** Most bytes that are set aside by what a packed length makes likely; more are when they are written. */
const MAX_EXPECTED_BYTES = 1_048_576;
const MIN_BYTES = 1_024;
/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT_BYTES = 64;
/** JSON packs to less than a quarter. */
const LIKELY_RATIO = 4;

/**
 * The output of an LZ77 decoder: literals, and copies of earlier output. It grows with the output, so a large length in the
 * input costs no memory.
 */
export class InflatedBytes {
  private bytes: Buffer;
  length = 0;

  constructor(
    packedBytes: number,
    private readonly maxBytes: number,
  ) {
    const likely = Math.min(Math.max(packedBytes * LIKELY_RATIO, MIN_BYTES), MAX_EXPECTED_BYTES);
    this.bytes = Buffer.allocUnsafeSlow(Math.min(likely, maxBytes));
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /**
   * @throws MalformedBytesError when the source ends before
   * @throws InflatedTooLargeError
   */
  append(source: Buffer, at: number, length: number): void {
    if (at + length > source.length) throw new MalformedBytesError(`${length} bytes at ${at} of ${source.length}`);
    this.reserve(length);
    const { bytes, length: start } = this;
    if (length > SHORT_BYTES) source.copy(bytes, start, at, at + length);
    else for (let index = 0; index < length; index++) bytes[start + index] = source[at + index] as number;
    this.length = start + length;
  }

  /**
   * Copies output from `distance` bytes ago. A copy may read its own output.
   *
   * @param floor nothing before this position may be read
   * @throws MalformedBytesError when the distance reaches before it
   * @throws InflatedTooLargeError
   */
  repeat(distance: number, length: number, floor: number): void {
    const from = this.length - distance;
    if (distance <= 0 || from < floor) throw new MalformedBytesError(`a copy from ${distance} bytes ago`);
    this.reserve(length);
    const { bytes } = this;
    const end = this.length + length;
    const isShort = length <= SHORT_BYTES;
    if (!isShort && distance >= length) bytes.copyWithin(this.length, from, from + length);
    else if (!isShort && distance === 1) bytes.fill(bytes[from] as number, this.length, end);
    else for (let at = this.length; at < end; at++) bytes[at] = bytes[at - distance] as number;
    this.length = end;
  }

  private reserve(length: number): void {
    const needed = this.length + length;
    if (needed > this.maxBytes) throw new InflatedTooLargeError(this.maxBytes);
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(this.bytes.length * 2, needed), this.maxBytes));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
