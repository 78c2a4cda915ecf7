import { Injectable } from '@nestjs/common';

/** One thing an app must have before it takes work. */
export interface ReadinessCheck {
  readonly name: string;
  /** @returns undefined when the check passes, else the reason */
  problem(): string | undefined;
  /** A problem that an operator should see, although the app takes work. */
  warning?(): string | undefined;
}

/** The answers of `/health/ready` and `/health/live`. Parts register their checks when they are constructed. */
@Injectable()
export class Health {
  private readonly readiness: ReadinessCheck[] = [];
  private readonly liveness: ReadinessCheck[] = [];
  private readonly notes: ReadinessCheck[] = [];

  addReadiness(check: ReadinessCheck): void {
    this.readiness.push(check);
  }

  /** For faults that only a restart mends. */
  addLiveness(check: ReadinessCheck): void {
    this.liveness.push(check);
  }

  /** For a part that the app can miss for a while: readiness shows it, and its status stays. */
  addNote(check: ReadinessCheck): void {
    this.notes.push(check);
  }

  ready(): HealthReport {
    return report([...this.liveness, ...this.readiness], this.notes);
  }

  live(): HealthReport {
    return report(this.liveness);
  }
}

export interface HealthReport {
  readonly status: 'ok' | 'unavailable';
  /** By check: `ok`, the problem, or `warning: ` and the warning. */
  readonly checks: Readonly<Record<string, string>>;
}

function report(checks: readonly ReadinessCheck[], notes: readonly ReadinessCheck[] = []): HealthReport {
  const results = checks.map((check) => ({ check, problem: check.problem() }));
  const isOk = results.every(({ problem }) => problem === undefined);
  const noted = notes.map((check) => ({ check, problem: check.problem() }));
  const texts = [...results, ...noted].map(({ check, problem }) => {
    return [check.name, problem ?? warningOf(check) ?? 'ok'] as const;
  });
  return { status: isOk ? 'ok' : 'unavailable', checks: Object.fromEntries(texts) };
}

function warningOf(check: ReadinessCheck): string | undefined {
  const warning = check.warning?.();
  return warning === undefined ? undefined : `warning: ${warning}`;
}
