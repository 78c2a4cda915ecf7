import type { Random } from '#common/domain/testing/random.js';
import type { Host, VirtualTime } from './virtual-time.js';

export type Server = 'kafka' | 'postgres';

/** Fault rates of requests, in thousandths. */
export interface Weather {
  /** Share of requests without an answer in time. The server may execute them nevertheless. */
  readonly answerLost: number;
  /** Share of these that the server executes after the process got the error. */
  readonly late: number;
  /** Usual latency to a server, ms. */
  readonly latencyMs: number;
}

/** Error of a request with an unknown result. */
export class NoAnswerError extends Error {
  /** Code of a connection error, after which clients retry. */
  readonly code = 'ECONNRESET';
}

/** Longest time for which a statement or produce request stays in flight after its sender gave up, ms. */
const LATE_MS = 3_000;
/** Timeout of a client, ms. */
const PATIENCE_MS = 2_000;

/** The network between processes and servers. */
export class Network {
  isFaulty = true;
  private readonly awayUntil = { kafka: 0, postgres: 0 };
  private readonly cutUntil = new Map<string, number>();

  constructor(
    readonly time: VirtualTime,
    private readonly random: Random,
    private readonly weather: Weather,
  ) {}

  /** Disconnects all processes from a server, for `ms`. */
  takeAway(server: Server, ms: number): void {
    this.awayUntil[server] = this.time.now + ms;
  }

  /** Disconnects one process from a server, for `ms`. */
  cut(host: Host, server: Server, ms: number): void {
    this.cutUntil.set(`${host.name}/${server}`, this.time.now + ms);
  }

  /**
   * Sends a request from the present process to a server.
   *
   * @param effect runs on the server, at most once; may throw the server's error
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

  /** The database problem that a process reports while its statements fail. */
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

  /** Half of the requests without an answer are not executed. */
  private lose(carryOut: () => unknown): void {
    if (this.random.chance(500)) return;
    const isLate = this.random.chance(this.weather.late);
    this.time.after(isLate ? this.random.pick(LATE_MS) : this.latencyMs(), carryOut);
  }
}
