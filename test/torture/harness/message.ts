/** One message of a protocol, with the fields that faults select by. */
export interface Message {
  readonly bytes: Buffer;
  /** E.g. `Produce`, `COMMIT`, `lane_write`, or `bytes` for an unknown protocol. */
  readonly kind: string;
  /** Topics of a Produce request, with their prefix. */
  readonly topics: readonly string[];
  /** Kafka's correlation id, which the answer repeats; undefined for protocols with answers in order. */
  readonly correlation: number | undefined;
  /** Client name, if the message has it: Kafka's client id, PostgreSQL's application name. */
  readonly client: string | undefined;
}

/** Reads the two streams of one connection. Stateful: one per connection. */
export interface Dialect {
  /** @returns the requests that this chunk completes */
  requests(chunk: Buffer): Message[];
  answers(chunk: Buffer): Answer[];
}

export interface Answer {
  readonly bytes: Buffer;
  /** Whether this chunk completes an answer. */
  readonly isEnd: boolean;
  readonly correlation: number | undefined;
}

/** An unknown protocol: every chunk is a request, and the next chunk back is its answer. */
export function plainDialect(): Dialect {
  return {
    requests: (bytes) => [{ bytes, kind: 'bytes', topics: [], correlation: undefined, client: undefined }],
    answers: (bytes) => [{ bytes, isEnd: true, correlation: undefined }],
  };
}

/** Splits a stream into length-prefixed frames. */
export class Frames {
  private rest: Buffer = Buffer.alloc(0);

  /** @param lengthOf length of a frame from its first bytes; undefined for too few bytes */
  constructor(private readonly lengthOf: (head: Buffer) => number | undefined) {}

  take(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const frames: Buffer[] = [];
    for (;;) {
      const length = this.lengthOf(this.rest);
      if (length === undefined || this.rest.length < length) return frames;
      frames.push(this.rest.subarray(0, length));
      this.rest = this.rest.subarray(length);
    }
  }
}
