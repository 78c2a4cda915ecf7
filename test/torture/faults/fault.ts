import type { Random } from '../../../libs/common/src/domain/testing/random.js';
import type { AppName, AppProcess } from '../../support/app-processes.js';
import type { Link, LinkFault, Trap } from '../harness/link.js';
import type { TortureRun } from '../harness/torture-run.js';
import type { TortureSystem } from '../harness/torture-system.js';
import type { Budgets, FaultEvent, PromiseName } from '../judge/evidence.js';
import type { FaultKind } from '../judge/fault-kind.js';

/** Longest wait for work, with a margin for a busy machine or a restarted server. */
const AT_WORK_LIMIT_MS = 30_000;
const LOOK_AGAIN_MS = 20;

/** A fault, in its own run or together with others. */
export interface Fault {
  readonly budgets?: Partial<Budgets>;
  /** Promises beyond P1 to P3 that the run tests. */
  readonly mustJudge?: readonly PromiseName[];
  /** True when no other run may use the system afterwards. */
  readonly isLast?: boolean;
  /** Causes the fault, waits, ends it, and records it. */
  readonly inject: (scene: Scene) => Promise<void>;
}

export interface FaultToNote {
  readonly kind: FaultKind;
  readonly target: string;
  /**
   * Work in flight at the start of the fault. By default, the fault waits for work, and counts attempts and HTTP
   * requests in flight.
   */
  readonly inFlight?: number;
}

/** Context of a fault. */
export class Scene {
  constructor(
    readonly system: TortureSystem,
    readonly run: TortureRun,
    readonly random: Random,
  ) {}

  app(app: AppName, instance = 0): AppProcess {
    return this.system.apps.get(app, instance);
  }

  /** Waits for the duration of a fault. No other code here waits for a fixed time. */
  last(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** @param work causes the fault, waits, and ends it. @returns number of times the fault took effect */
  async during({ kind, target, inFlight }: FaultToNote, work: () => Promise<number>): Promise<void> {
    const underWay =
      inFlight ?? (await this.onceSome(async () => (await this.run.attemptsUnderWay()) + this.run.load.unanswered));
    const from = Date.now();
    const fired = await work();
    this.note({ kind, target, from, to: Date.now(), fired, inFlight: underWay });
  }

  /** Applies a fault to links for some time. Waits for connections first, since the processes may be starting. */
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

  /** Repeats a count until it is positive. @returns 0 after the limit: a fault without work proves nothing */
  async onceSome(count: () => number | Promise<number>): Promise<number> {
    for (const deadline = Date.now() + AT_WORK_LIMIT_MS; ; ) {
      const some = await count();
      if (some > 0 || Date.now() > deadline) return some;
      await this.last(LOOK_AGAIN_MS);
    }
  }
}

/** Sets one trap on several links. Their counts are added. */
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
