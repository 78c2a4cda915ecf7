import type { Random } from '../../../libs/common/src/domain/testing/random.js';
import type { AppName, AppProcess } from '../../support/app-processes.js';
import type { Link, LinkFault, Trap } from '../harness/link.js';
import type { TortureRun } from '../harness/torture-run.js';
import type { TortureSystem } from '../harness/torture-system.js';
import type { Budgets, FaultEvent, PromiseName } from '../judge/evidence.js';
import type { FaultKind } from '../judge/fault-kind.js';

/** A busy machine, or a server that just came back, may take so long until somebody has something to do. */
const AT_WORK_LIMIT_MS = 30_000;
const LOOK_AGAIN_MS = 20;

/** Something that is broken on purpose, in a run of its own or together with others. */
export interface Fault {
  readonly budgets?: Partial<Budgets>;
  /** Promises beyond P1 to P3 that the run is there to try. */
  readonly mustJudge?: readonly PromiseName[];
  /** The system is not fit for another run afterwards. */
  readonly isLast?: boolean;
  /** Breaks, waits, heals, and notes what was done. */
  readonly inject: (scene: Scene) => Promise<void>;
}

export interface FaultToNote {
  readonly kind: FaultKind;
  readonly target: string;
  /**
   * Counted when the fault begins, if not given, and waited for: attempts under way, and requests over HTTP that wait for
   * their answer.
   */
  readonly inFlight?: number;
}

/** What a fault has at hand. */
export class Scene {
  constructor(
    readonly system: TortureSystem,
    readonly run: TortureRun,
    readonly random: Random,
  ) {}

  app(app: AppName, instance = 0): AppProcess {
    return this.system.apps.get(app, instance);
  }

  /** How long a fault lasts: the one thing here that waits for time alone. */
  last(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** @param work breaks, waits and heals. @returns how often the fault took effect */
  async during({ kind, target, inFlight }: FaultToNote, work: () => Promise<number>): Promise<void> {
    const underWay =
      inFlight ?? (await this.onceSome(async () => (await this.run.attemptsUnderWay()) + this.run.load.unanswered));
    const from = Date.now();
    const fired = await work();
    this.note({ kind, target, from, to: Date.now(), fired, inFlight: underWay });
  }

  /** Imposes a fault on links for some time. Who is meant may just be starting: connections are waited for. */
  async impose(what: FaultToNote, links: readonly Link[], fault: LinkFault, ms: number): Promise<void> {
    const connections = () => links.reduce((sum, link) => sum + link.open(fault.client), 0);
    await this.onceSome(connections);
    await this.during(what, async () => {
      const hit = connections();
      const lifts = links.map((link) => link.impose(fault));
      await this.last(ms);
      for (const lift of lifts) lift();
      return hit;
    });
  }

  note(event: FaultEvent): void {
    this.run.faults.push(event);
  }

  /** Counts until there is some. @returns 0 when there is none within the limit: a fault without it proves nothing */
  async onceSome(count: () => number | Promise<number>): Promise<number> {
    for (const deadline = Date.now() + AT_WORK_LIMIT_MS; ; ) {
      const some = await count();
      if (some > 0 || Date.now() > deadline) return some;
      await this.last(LOOK_AGAIN_MS);
    }
  }
}

/** Sets one trap on several links. Both tell how often it went off. */
export function setTraps(links: readonly Link[], trap: Trap): { fired(): number; disarm(): number } {
  const armed = links.map((link) => ({ link, trap: link.arm(trap) }));
  const fired = () => armed.reduce((sum, { trap: set }) => sum + set.fired, 0);
  return {
    fired,
    disarm: () => {
      for (const { link, trap: set } of armed) link.disarm(set);
      return fired();
    },
  };
}
