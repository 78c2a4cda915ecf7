/** One unit of a protocol, with what a fault may select it by. */
export interface Message {
  readonly bytes: Buffer;
  /** E.g. `Produce`, `COMMIT`, `lane_write`, or `bytes` where the protocol is not looked into. */
  readonly kind: string;
  /** Topics that a Produce writes to, with their prefix. */
  readonly topics: readonly string[];
  /** Kafka's correlation id, which the answer repeats; undefined where answers come in the order of requests. */
  readonly correlation: number | undefined;
  /** Who sends it, when this message tells: Kafka's client id, PostgreSQL's application name. */
  readonly client: string | undefined;
}

/** Reads the two streams of one connection. Stateful: one per connection. */
export interface Dialect {
  /** @returns the requests that are complete now */
  requests(chunk: Buffer): Message[];
  answers(chunk: Buffer): Answer[];
}

export interface Answer {
  readonly bytes: Buffer;
  /** Whether an answer is complete with it. */
  readonly isEnd: boolean;
  readonly correlation: number | undefined;
}

/** A connection nobody looks into: every chunk is a request, and what comes back answers it. */
export function plainDialect(): Dialect {
  return {
    requests: (bytes) => [{ bytes, kind: 'bytes', topics: [], correlation: undefined, client: undefined }],
    answers: (bytes) => [{ bytes, isEnd: true, correlation: undefined }],
  };
}

/** Cuts a stream into frames whose length stands at their beginning. */
export class Frames {
  private rest: Buffer = Buffer.alloc(0);

  /** @param lengthOf of a whole frame, given its first bytes; undefined when they are too few */
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
