/** What a run of the torture is to do, as scripts/torture.mjs says by the environment. */
export interface Plan {
  readonly faults: readonly string[];
  readonly seed: number;
  readonly brokers: number;
  /** Load before the first fault, and after the last. */
  readonly steadyMs: number;
  readonly afterMs: number;
  /** Verdicts are appended to this file, a line of JSON each. */
  readonly report: string | undefined;
}

export function readPlan(env: NodeJS.ProcessEnv): Plan {
  return {
    faults: (env.TORTURE_FAULTS ?? 'dispatcher-kill').split(','),
    seed: Number(env.TORTURE_SEED ?? 1),
    brokers: Number(env.TORTURE_BROKERS ?? 1),
    steadyMs: Number(env.TORTURE_STEADY_MS ?? 5_000),
    afterMs: Number(env.TORTURE_AFTER_MS ?? 3_000),
    report: env.TORTURE_REPORT,
  };
}
