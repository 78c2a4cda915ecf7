import { Injectable } from '@nestjs/common';

/** One thing an app must have before it takes work. */
export interface ReadinessCheck {
  readonly name: string;
  /** @returns undefined when all is well, else what is missing */
  problem(): string | undefined;
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
  /** By check: `ok`, or what is missing. */
  readonly checks: Readonly<Record<string, string>>;
}

function report(checks: readonly ReadinessCheck[], notes: readonly ReadinessCheck[] = []): HealthReport {
  const results = checks.map(resultOf);
  const isOk = results.every(([, result]) => result === 'ok');
  return { status: isOk ? 'ok' : 'unavailable', checks: Object.fromEntries([...results, ...notes.map(resultOf)]) };
}

function resultOf(check: ReadinessCheck): readonly [string, string] {
  return [check.name, check.problem() ?? 'ok'];
}
