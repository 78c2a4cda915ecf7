/** Plan of a torture run, which scripts/torture.mjs passes in the environment. */
export interface Plan {
  readonly faults: readonly string[];
  readonly seed: number;
  readonly brokers: number;
  /** Load before the first fault, and after the last. */
  readonly steadyMs: number;
  readonly afterMs: number;
  /** File to which verdicts are appended, one line of JSON each. */
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
