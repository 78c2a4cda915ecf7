import { Random } from '../../../libs/common/src/domain/testing/random.js';
import { kafkaClient } from '../../../scripts/lib/kafka-client.js';
import { CommitSampler } from '../evidence/commit-sampler.js';
import { Scene } from '../faults/fault.js';
import { faultOf } from '../faults/faults.js';
import type { Evidence } from '../judge/evidence.js';
import { collectEvidence } from './evidence.js';
import type { Plan } from './plan.js';
import { Quiet } from './quiet.js';
import { TortureRun } from './torture-run.js';
import { TortureSystem } from './torture-system.js';

interface Whole {
  readonly system: TortureSystem;
  readonly quiet: Quiet;
}

/** Runs one fault after the other on a system, which is made anew after it was stopped. */
export class Tormentor {
  private whole: Promise<Whole> | undefined;
  /** By fault. */
  private readonly runs = new Map<string, number>();

  /** @param home holds the `dist` of the apps; this checkout when missing */
  constructor(
    private readonly plan: Plan,
    private readonly home?: string,
  ) {}

  async start(): Promise<void> {
    await this.ready();
  }

  async stop(): Promise<void> {
    const whole = await this.whole?.catch(() => undefined);
    this.whole = undefined;
    await whole?.quiet.stop();
    await whole?.system.stop();
  }

  /** Steady load, the fault, a while after it, quiet; then all that the run left behind is read. */
  async torment(name: string): Promise<Evidence> {
    const { system, quiet } = await this.ready();
    const { seed, steadyMs, afterMs } = this.plan;
    const { inject, budgets = {}, mustJudge = [], isLast = false } = faultOf(name);
    const run = await TortureRun.open(system, this.nameOf(name, seed), seed);
    const kafka = kafkaClient({ clientId: 'sampler', brokers: system.brokers.direct, isQuiet: true });
    const sampler = await CommitSampler.start(kafka, system.postgresUrl);
    const scene = new Scene(system, run, new Random(seed));
    try {
      await scene.last(steadyMs);
      await run.whileDown(() => inject(scene)).finally(() => system.heal());
      await scene.last(afterMs);
      await run.drain(quiet);
      const evidence = await collectEvidence(run, { seed, budgets, mustJudge, commits: await sampler.stop() });
      await run.close();
      if (isLast) await this.stop();
      else await quiet.forget();
      return evidence;
    } catch (error) {
      // What is left half broken is no ground for another run.
      run.load.giveUp();
      await Promise.allSettled([sampler.stop(), run.close()]);
      await this.stop();
      throw error;
    }
  }

  /** Events take their ids from the name: a second run under the first one's name would publish known ids. */
  private nameOf(fault: string, seed: number): string {
    const earlier = this.runs.get(fault) ?? 0;
    this.runs.set(fault, earlier + 1);
    return earlier === 0 ? `${fault}-${seed}` : `${fault}-${seed}-run${earlier + 1}`;
  }

  private ready(): Promise<Whole> {
    this.whole ??= begin(this.plan.brokers, this.home);
    return this.whole;
  }
}

async function begin(brokers: number, home: string | undefined): Promise<Whole> {
  const system = await TortureSystem.start(brokers, home);
  return { system, quiet: await Quiet.of(system) };
}
