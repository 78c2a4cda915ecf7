import { Injectable } from '@nestjs/common';

/** One thing an app must have before it takes work. */
export interface ReadinessCheck {
  readonly name: string;
  /** @returns undefined when all is well, else what is missing */
  problem(): string | undefined;
  /** What an operator should know of an app that takes work all the same. */
  warning?(): string | undefined;
}

/** What `/health/ready` and `/health/live` answer. Jobs register their checks when they are constructed. */
@Injectable()
export class Health {
  private readonly readiness: ReadinessCheck[] = [];
  private readonly liveness: ReadinessCheck[] = [];
  private readonly notes: ReadinessCheck[] = [];

  addReadiness(check: ReadinessCheck): void {
    this.readiness.push(check);
  }

  /** For what only a restart can mend. */
  addLiveness(check: ReadinessCheck): void {
    this.liveness.push(check);
  }

  /** For what people must see and the app can do without for a while: readiness shows it and stays as it is. */
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
  /** By check: `ok`, what is missing, or `warning: ` and what to look at. */
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
