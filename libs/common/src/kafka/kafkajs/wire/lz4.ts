import { MalformedBytesError } from './byte-reader.js';
import { InflatedBytes } from './inflated-bytes.js';

const MAGIC = 0x184d2204;
/** Flags of the frame: which fields follow its header and its blocks. */
const DICTIONARY_FLAG = 0x01;
const CONTENT_CHECKSUM_FLAG = 0x04;
const CONTENT_SIZE_FLAG = 0x08;
const BLOCK_CHECKSUM_FLAG = 0x10;
const INDEPENDENT_FLAG = 0x20;
/** Of a block's length: it was not compressed. */
const STORED_FLAG = 0x80000000;

const MIN_MATCH_BYTES = 4;
/** Four bits that are all set: the length goes on in the next byte. */
const MORE = 15;

/**
 * LZ4 as Kafka's producers write it: frames of blocks. Their checksums are not compared: a batch has one of its own, which
 * the broker compares.
 *
 * @throws MalformedBytesError
 * @throws InflatedTooLargeError
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export function lz4Inflate(packed: Buffer, maxBytes: number): Buffer {
  const out = new InflatedBytes(packed.length, maxBytes);
  for (let at = 0; at < packed.length; ) at = inflateFrame(packed, at, out);
  return out.written();
}

/** @returns where the frame ends */
function inflateFrame(packed: Buffer, start: number, out: InflatedBytes): number {
  if (uint32(packed, start) !== MAGIC) throw new MalformedBytesError('no LZ4 frame');
  const flags = byteAt(packed, start + 4);
  if (flags & DICTIONARY_FLAG) throw new MalformedBytesError('an LZ4 frame that needs a dictionary');
  // The magic number, the flags, a byte about the size of blocks, the size of the content, a checksum.
  let at = start + 4 + 1 + 1 + (flags & CONTENT_SIZE_FLAG ? 8 : 0) + 1;
  const frameFloor = out.length;
  for (;;) {
    const word = uint32(packed, at);
    at += 4;
    if (word === 0) break;
    const length = word % STORED_FLAG;
    if (at + length > packed.length) throw new MalformedBytesError(`a block of ${length} bytes`);
    const floor = flags & INDEPENDENT_FLAG ? out.length : frameFloor;
    if (word >= STORED_FLAG) out.append(packed, at, length);
    else inflateBlock(packed, at, at + length, out, floor);
    at += length + (flags & BLOCK_CHECKSUM_FLAG ? 4 : 0);
  }
  return at + (flags & CONTENT_CHECKSUM_FLAG ? 4 : 0);
}

/** Sequences of literals and a copy of earlier bytes; the last one has no copy. */
function inflateBlock(packed: Buffer, start: number, end: number, out: InflatedBytes, floor: number): void {
  let at = start;
  while (at < end) {
    const token = byteAt(packed, at++);
    let literals = token >> 4;
    if (literals === MORE) {
      let byte: number;
      do {
        byte = byteAt(packed, at++);
        literals += byte;
      } while (byte === 255);
    }
    if (at + literals > end) throw new MalformedBytesError(`${literals} literals at ${at} of ${end}`);
    out.append(packed, at, literals);
    at += literals;
    if (at >= end) return;
    const distance = byteAt(packed, at) | (byteAt(packed, at + 1) << 8);
    at += 2;
    let copied = (token & MORE) + MIN_MATCH_BYTES;
    if ((token & MORE) === MORE) {
      let byte: number;
      do {
        byte = byteAt(packed, at++);
        copied += byte;
      } while (byte === 255);
    }
    out.repeat(distance, copied, floor);
  }
}

function uint32(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new MalformedBytesError(`no number at ${at} of ${bytes.length}`);
  return bytes.readUInt32LE(at);
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new MalformedBytesError(`no byte at ${at} of ${bytes.length}`);
  return byte;
}
