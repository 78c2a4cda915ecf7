/** Behaviour of a hook. `answerMs` is the response time; by default 0. */
export type Behaviour = { readonly answerMs?: number } & (
  | { readonly kind: 'healthy' }
  /** Fails this share of attempts, deterministic by seed. `status` is by default 500. */
  | { readonly kind: 'failing'; readonly rate: number; readonly seed: number; readonly status?: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Fails a number of requests, accepts a number, and repeats. */
  | { readonly kind: 'flapping'; readonly failures: number; readonly successes: number }
  /** Reads the request and never answers. */
  | { readonly kind: 'hang' }
  /** Accepts this share of attempts, and closes the connection instead of answering 200. */
  | { readonly kind: 'lost_answer'; readonly rate: number; readonly seed: number }
  /** Refuses connections: the port is closed. */
  | { readonly kind: 'down' }
);

/** Commands of the harness to the receiver's process. */
export type ReceiverCommand =
  | { readonly do: 'open'; readonly hook: string; readonly behaviour: Behaviour }
  | { readonly do: 'behave'; readonly hook: string; readonly behaviour: Behaviour }
  | { readonly do: 'trust'; readonly hook: string; readonly secret: string }
  | { readonly do: 'count' }
  | { readonly do: 'flush' };

/** Counts of a hook. */
export interface HookCounts {
  readonly requests: number;
  /** Number of requests answered 2xx. */
  readonly accepted: number;
  /** Number of requests in flight. */
  readonly open: number;
}

/** Reply to a command, with the command's number. */
export interface ReceiverReply {
  readonly number: number;
  /** Reply to `open`. */
  readonly port?: number;
  /** Reply to `count`. */
  readonly counts?: Readonly<Record<string, HookCounts>>;
  readonly error?: string;
}

/** One line of the receiver's log. `n` numbers its requests. */
export type ReceiverLine =
  | {
      readonly kind: 'arrived';
      readonly n: number;
      readonly at: number;
      readonly hook: string;
      readonly webhook_id: string;
      readonly attempt: number;
      readonly signed: boolean;
      /** From the body; null without one. */
      readonly event_id: string | null;
      readonly resource_id: string | null;
      readonly sequence: number | null;
    }
  | {
      readonly kind: 'ended';
      readonly n: number;
      readonly at: number;
      /** Null without a response. */
      readonly status: number | null;
      readonly cut: boolean;
    };
