import type { Random } from '#common/domain/testing/random.js';
import type { Host, VirtualTime } from './virtual-time.js';

export type Server = 'kafka' | 'postgres';

/** How requests fare. Chances are in thousandths. */
export interface Weather {
  /** No answer comes, in time or at all: the request may have been carried out all the same. */
  readonly answerLost: number;
  /** Of those: it is carried out after the process was told that it failed. */
  readonly late: number;
  /** Usual time to a server, ms. */
  readonly latencyMs: number;
}

/** Thrown to whoever asked: what became of the request is unknown. */
export class NoAnswerError extends Error {
  /** As a client's socket has it: not a refusal, to be tried again. */
  readonly code = 'ECONNRESET';
}

/** Longest a statement or produce stays under way after its sender gave it up, ms. */
const LATE_MS = 3_000;
/** What a client waits for an answer, ms. */
const PATIENCE_MS = 2_000;

/** Between the processes and their servers. */
export class Network {
  isFaulty = true;
  private readonly awayUntil = { kafka: 0, postgres: 0 };
  private readonly cutUntil = new Map<string, number>();

  constructor(
    readonly time: VirtualTime,
    private readonly random: Random,
    private readonly weather: Weather,
  ) {}

  /** Nobody reaches the server for so long. */
  takeAway(server: Server, ms: number): void {
    this.awayUntil[server] = this.time.now + ms;
  }

  /** This process does not reach the server for so long. */
  cut(host: Host, server: Server, ms: number): void {
    this.cutUntil.set(`${host.name}/${server}`, this.time.now + ms);
  }

  /**
   * The present process asks a server for something.
   *
   * @param effect carried out there: not at all, or once; it may throw what the server answers
   */
  ask<Answer>(server: Server, effect: () => Answer): Promise<Answer> {
    const { time } = this;
    const host = time.current;
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void) => time.after(this.latencyMs(), settle, host);
      const carryOut = () => {
        try {
          const value = effect();
          return () => resolve(value);
        } catch (error) {
          return () => reject(error);
        }
      };
      if (!this.isReachable(host, server)) {
        const waitMs = this.random.chance(700) ? 1 + this.random.pick(50) : PATIENCE_MS;
        time.after(waitMs, () => reject(new NoAnswerError(`${server} is away`)), host);
      } else if (this.isFaulty && this.random.chance(this.weather.answerLost)) {
        this.lose(carryOut);
        const waitMs = this.random.pick(PATIENCE_MS);
        time.after(waitMs, () => reject(new NoAnswerError(`${server} has not answered`)), host);
      } else {
        time.after(this.latencyMs(), () => answer(carryOut()));
      }
    });
  }

  isReachable(host: Host, server: Server): boolean {
    const { now } = this.time;
    return now >= this.awayUntil[server] && now >= (this.cutUntil.get(`${host.name}/${server}`) ?? 0);
  }

  /** What a process's own database would report while its statements fail. */
  databaseProblem(host: Host): string | undefined {
    return this.isReachable(host, 'postgres') ? undefined : 'postgres is away';
  }

  calm(): void {
    this.isFaulty = false;
    this.awayUntil.kafka = 0;
    this.awayUntil.postgres = 0;
    this.cutUntil.clear();
  }

  latencyMs(): number {
    const { latencyMs } = this.weather;
    const unusual = this.isFaulty && this.random.chance(20) ? 20 : 1;
    return (unusual * latencyMs * (1 + this.random.pick(100))) / 50;
  }

  /** Half of what nobody hears of is never done. */
  private lose(carryOut: () => unknown): void {
    if (this.random.chance(500)) return;
    const isLate = this.random.chance(this.weather.late);
    this.time.after(isLate ? this.random.pick(LATE_MS) : this.latencyMs(), carryOut);
  }
}
