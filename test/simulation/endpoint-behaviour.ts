import type { Random } from '#common/domain/testing/random.js';
import type { AttemptError } from '#common/domain/verdict.js';

/**
 * An endpoint's reaction to one request. `accepts` without an answer: the request is accepted, and its response is
 * lost.
 */
export type Reaction =
  | {
      readonly kind: 'answers';
      readonly status: number;
      readonly retryAfter: string | undefined;
      readonly afterMs: number;
    }
  | { readonly kind: 'fails'; readonly error: AttemptError; readonly accepts: boolean; readonly afterMs: number }
  | { readonly kind: 'hangs' };

export const KINDS = ['healthy', 'flaky', 'down', 'slow', 'hanging', 'gone', 'busy', 'strict'] as const;
export type EndpointKind = (typeof KINDS)[number];

/** Status that `strict` endpoints answer at times. Their policy treats it as permanent. */
export const PERMANENT_STATUS = 422;

const USUAL_MS = 30;

/** An endpoint of one kind. It is healthy after the faults, unless it is gone. */
export class EndpointBehaviour {
  isWell = false;

  /**
   * @param troublePermille share of requests that meet the endpoint's fault
   * @param from start of the endpoint's fault, in virtual time
   * @param until end of the fault
   */
  constructor(
    readonly kind: EndpointKind,
    private readonly troublePermille: number,
    private readonly from: number,
    private readonly until: number,
    private readonly random: Random,
  ) {}

  /** @param answerLost permille of requests whose response is lost */
  react(now: number, answerLost: number): Reaction {
    const { random } = this;
    const afterMs = 1 + random.pick(USUAL_MS);
    if (this.kind === 'gone' && now >= this.from) return this.answer(410, afterMs);
    if (!this.isWell && now >= this.from && now < this.until && random.chance(this.troublePermille)) {
      return this.trouble(afterMs);
    }
    if (!this.isWell && random.chance(answerLost)) {
      return { kind: 'fails', error: 'connection_reset', accepts: random.chance(700), afterMs };
    }
    return this.answer(random.among([200, 200, 202, 204]), afterMs);
  }

  private trouble(afterMs: number): Reaction {
    const { random } = this;
    switch (this.kind) {
      case 'down':
        return { kind: 'fails', error: 'connection_refused', accepts: false, afterMs };
      case 'hanging':
        return { kind: 'hangs' };
      case 'slow':
        return this.answer(200, 500 + random.pick(3_000));
      case 'busy':
        return this.answer(random.among([429, 503]), afterMs, String(1 + random.pick(8)));
      case 'strict':
        return this.answer(PERMANENT_STATUS, afterMs);
      default:
        return this.answer(random.among([500, 502, 302, 404]), afterMs);
    }
  }

  private answer(status: number, afterMs: number, retryAfter?: string): Reaction {
    return { kind: 'answers', status, retryAfter, afterMs };
  }
}
