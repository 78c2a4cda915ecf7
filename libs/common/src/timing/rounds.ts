import { Backoff } from './backoff.js';

const MIN_RETRY_MS = 1_000;
const MAX_RETRY_MS = 15_000;

/** Least pause after a round of any length: the round may have waited for a server that was away. */
const LONGEST_WAIT_MS = 60_000;

interface RoundsOptions {
  /** From the end of a round to the beginning of the next. */
  readonly periodMs: number;
  readonly round: () => Promise<void>;
  /** The next round repeats the work of a failed one, after 1 to 15 s where the period is longer. */
  readonly onError: (error: unknown) => void;
  /** Rounds take at most this part of the time: after a long one, more than the period goes by. */
  readonly share?: number;
}

/** Work that is done from time to time, one round after the other, until it is stopped. */
export class Rounds {
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;
  private readonly backoff = new Backoff(MIN_RETRY_MS, MAX_RETRY_MS);

  constructor(private readonly options: RoundsOptions) {}

  /** A long round checks it, to end early. */
  get isStopping(): boolean {
    return this.stopping;
  }

  /** @param ready the first round waits for it */
  startAfter(ready: Promise<unknown>): void {
    void ready.then(() => this.run());
  }

  stop(): void {
    this.stopping = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    if (this.stopping) return;
    const { periodMs, round, onError, share = 1 } = this.options;
    const startedAt = performance.now();
    const pauseMs = await round().then(
      () => {
        this.backoff.reset();
        return periodMs;
      },
      (error: unknown) => {
        onError(error);
        return Math.min(periodMs, this.backoff.next());
      },
    );
    const tookMs = performance.now() - startedAt;
    const restMs = Math.min(tookMs / share, LONGEST_WAIT_MS);
    if (!this.stopping) this.timer = setTimeout(() => void this.run(), Math.max(pauseMs, restMs));
  }
}
