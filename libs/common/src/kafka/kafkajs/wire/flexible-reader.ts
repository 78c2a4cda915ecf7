const UUID_BYTES = 16;

/** Reads the types of Kafka's flexible protocol versions (KIP-482), and those of the older ones, one behind the other. */
export class FlexibleReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  skip(bytes: number): void {
    this.at += bytes;
  }

  int16(): number {
    return this.bytes.readInt16BE(this.advance(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.advance(4));
  }

  /** Exact up to 2^53. */
  int64(): number {
    return Number(this.bytes.readBigInt64BE(this.advance(8)));
  }

  /** In base64url. */
  uuid(): string {
    const from = this.advance(UUID_BYTES);
    return this.bytes.subarray(from, this.at).toString('base64url');
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes.readUInt8(this.advance(1));
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  string(): string {
    return this.text(this.int16());
  }

  /** Empty for null. */
  compactString(): string {
    return this.text(this.varint() - 1);
  }

  array<Item>(read: () => Item): Item[] {
    return this.items(this.int32(), read);
  }

  /** Empty for null. */
  compactArray<Item>(read: () => Item): Item[] {
    return this.items(this.varint() - 1, read);
  }

  /** Passes over the fields that a later version added. */
  skipTags(): void {
    for (let count = this.varint(); count > 0; count--) {
      this.varint();
      this.skip(this.varint());
    }
  }

  private text(length: number): string {
    const from = this.advance(Math.max(0, length));
    return this.bytes.toString('utf8', from, this.at);
  }

  private items<Item>(count: number, read: () => Item): Item[] {
    const items: Item[] = [];
    for (let index = 0; index < count; index++) items.push(read());
    return items;
  }

  private advance(bytes: number): number {
    const from = this.at;
    this.at += bytes;
    return from;
  }
}
