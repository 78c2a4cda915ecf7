/** How a hook of the receiver treats requests. `answerMs` is how long it thinks before it answers; 0 when missing. */
export type Behaviour = { readonly answerMs?: number } & (
  | { readonly kind: 'healthy' }
  /** Fails this part of the attempts, always the same ones for a seed. `status` is 500 when missing. */
  | { readonly kind: 'failing'; readonly rate: number; readonly seed: number; readonly status?: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Fails so many requests, takes so many, and begins again. */
  | { readonly kind: 'flapping'; readonly failures: number; readonly successes: number }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Accepts this part of the attempts with 200, and breaks the connection in place of the answer. */
  | { readonly kind: 'lost_answer'; readonly rate: number; readonly seed: number }
  /** Refuses connections: the port is closed. */
  | { readonly kind: 'down' }
);

/** What the harness asks of the receiver's process. */
export type ReceiverCommand =
  | { readonly do: 'open'; readonly hook: string; readonly behaviour: Behaviour }
  | { readonly do: 'behave'; readonly hook: string; readonly behaviour: Behaviour }
  | { readonly do: 'trust'; readonly hook: string; readonly secret: string }
  | { readonly do: 'count' }
  | { readonly do: 'flush' };

/** What a hook has seen so far. */
export interface HookCounts {
  readonly requests: number;
  /** Answered with 2xx. */
  readonly accepted: number;
  /** Taken and not answered yet. */
  readonly open: number;
}

/** Answers to the commands, by the number that came with them. */
export interface ReceiverReply {
  readonly number: number;
  /** Of `open`. */
  readonly port?: number;
  /** Of `count`. */
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
      /** Of the body; null where it has none. */
      readonly event_id: string | null;
      readonly resource_id: string | null;
      readonly sequence: number | null;
    }
  | {
      readonly kind: 'ended';
      readonly n: number;
      readonly at: number;
      /** Null when nothing was answered. */
      readonly status: number | null;
      readonly cut: boolean;
    };
