/** A record as read. Offsets are exact up to 2^53. */
export interface InRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** ms since the epoch, by the broker where the topic uses LogAppendTime. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Has no prototype when it was read from a log: names are outside input. */
  readonly headers: Readonly<Record<string, Buffer>>;
  /**
   * Why the record is not here as it was written, for people: its headers are beyond the limits, and as many as fit are
   * here; or its batch cannot be decoded, and the value is the batch. Never used as good input.
   */
  readonly oversized?: string | undefined;
}

/** A record to write. Its partition follows from its key by murmur2, as Java's client does it. */
export interface OutRecord {
  /** Without the configured prefix. */
  readonly topic: string;
  /** Null goes to partition 0: a record without a key that is set aside keeps having none. */
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, Buffer | string>>;
}
