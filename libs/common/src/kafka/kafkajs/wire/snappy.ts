import { MalformedBytesError } from './byte-reader.js';
import { InflatedBytes } from './inflated-bytes.js';

/** The header of Java's library before its blocks: a name, and two versions. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;
/** The first bits of an element. */
const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;

/**
 * Snappy as Kafka's producers write it: Java's in blocks behind a header, librdkafka's as one block.
 *
 * @throws MalformedBytesError
 * @throws InflatedTooLargeError
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
export function snappyInflate(packed: Buffer, maxBytes: number): Buffer {
  const isFramed = packed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
  const out = new InflatedBytes(packed.length, maxBytes);
  if (!isFramed) {
    inflateBlock(packed, out);
    return out.written();
  }
  for (let at = XERIAL_HEADER_BYTES; at < packed.length; ) {
    if (at + 4 > packed.length) throw new MalformedBytesError('a block without its length');
    const length = packed.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > packed.length) throw new MalformedBytesError(`a block of ${length} bytes`);
    inflateBlock(packed.subarray(at, at + length), out);
    at += length;
  }
  return out.written();
}

/** A length, then elements: literals, and copies of what came before in the block. */
function inflateBlock(block: Buffer, out: InflatedBytes): void {
  const floor = out.length;
  let at = 0;
  let promised = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = byteAt(block, at++);
    promised += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    if (at > 5) throw new MalformedBytesError('a length of more than 32 bits');
  }
  while (at < block.length) at = inflateElement(block, at, out, floor);
  if (out.length - floor !== promised) throw new MalformedBytesError(`a block is not ${promised} bytes`);
}

/** @returns where the next element begins */
function inflateElement(block: Buffer, at: number, out: InflatedBytes, floor: number): number {
  const tag = byteAt(block, at);
  const kind = tag & 3;
  const upper = tag >> 2;
  if (kind === LITERAL) {
    const extra = upper < 60 ? 0 : upper - 59;
    const length = (extra === 0 ? upper : uintLE(block, at + 1, extra)) + 1;
    out.append(block, at + 1 + extra, length);
    return at + 1 + extra + length;
  }
  if (kind === COPY_1) {
    out.repeat(((tag >> 5) << 8) | byteAt(block, at + 1), (upper & 7) + 4, floor);
    return at + 2;
  }
  const offsetBytes = kind === COPY_2 ? 2 : 4;
  out.repeat(uintLE(block, at + 1, offsetBytes), upper + 1, floor);
  return at + 1 + offsetBytes;
}

function uintLE(bytes: Buffer, at: number, length: number): number {
  if (at + length > bytes.length) throw new MalformedBytesError(`no number at ${at} of ${bytes.length}`);
  return bytes.readUIntLE(at, length);
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new MalformedBytesError(`no byte at ${at} of ${bytes.length}`);
  return byte;
}
