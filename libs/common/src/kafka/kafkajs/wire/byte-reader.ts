/** The bytes are not what the format demands: a length points beyond them, or a number has too many digits. */
export class MalformedBytesError extends Error {}

const INT32_RANGE = 0x100000000;

/** Signed, exact up to 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * INT32_RANGE + bytes.readUInt32BE(at + 4);
}

/** Reads Kafka's primitive types one behind the other, and nothing beyond `end`. */
export class ByteReader {
  /**
   * @param at of the next byte
   * @param end of the readable bytes
   */
  constructor(
    readonly bytes: Buffer,
    public at = 0,
    public end = bytes.length,
  ) {}

  get left(): number {
    return this.end - this.at;
  }

  int16(): number {
    return this.bytes.readInt16BE(this.skip(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.skip(4));
  }

  int64(): number {
    return readInt64(this.bytes, this.skip(8));
  }

  /** An int16 length, and as many bytes of UTF-8. */
  string(): string {
    const length = this.int16();
    const at = this.skip(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  /** @returns a view of the next bytes */
  slice(length: number): Buffer {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  /** @returns where the skipped bytes begin */
  skip(length: number): number {
    const { at } = this;
    if (length < 0 || length > this.end - at) {
      throw new MalformedBytesError(`${length} bytes at ${at} of ${this.end}`);
    }
    this.at = at + length;
    return at;
  }

  /** Zigzag, as all numbers of records. Exact up to 2^53; a record has at most 64 bits. */
  varint(): number {
    const { bytes, end } = this;
    let byte = this.at < end ? (bytes[this.at++] as number) : this.failAtEnd();
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      byte = this.at < end ? (bytes[this.at++] as number) : this.failAtEnd();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (scale >= MAX_VARINT_SCALE) throw new MalformedBytesError(`a number at ${this.at} has more than 64 bits`);
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A length as a varint, and as many bytes; null for a negative length. */
  field(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  private failAtEnd(): never {
    throw new MalformedBytesError(`no byte at ${this.at} of ${this.end}`);
  }
}

/** Of the tenth byte, the last one a 64-bit number has. */
const MAX_VARINT_SCALE = 2 ** 63;
