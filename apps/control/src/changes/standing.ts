import { Injectable, Logger } from '@nestjs/common';
import { ProblemError } from '#common/http/problem.js';
import { Health } from '#common/observability/health.js';
import type { ChangeNumber } from '#common/records/configuration-change.js';
import type { KnownChanges } from './changes.js';
import { configurationAhead } from './metrics.js';

/** How the compacted topics and the database compare. */
export type Comparison =
  | { readonly kind: 'same' }
  /** The topics have changes that the database lacks: it was restored from a backup, or is another one. */
  | { readonly kind: 'ahead'; readonly reason: string };

/**
 * Compares the highest change that the topics name with those the database knows.
 *
 * @param highest undefined for topics that name none: they are new, or were written by an earlier release
 */
export function compareChanges(highest: ChangeNumber | undefined, known: KnownChanges): Comparison {
  if (highest === undefined || highest.sequence < known.oldestSequence) return { kind: 'same' };
  const { sequence } = highest;
  if (sequence > known.latest.sequence) {
    const reason = `the topics have change ${sequence}, the database has changes up to ${known.latest.sequence} only`;
    return { kind: 'ahead', reason };
  }
  if (known.askedId === highest.id) return { kind: 'same' };
  return { kind: 'ahead', reason: `change ${sequence} of the topics is another one than the database has` };
}

const REMEDY = 'the database looks restored: npm run reconcile -- --keep topics|database';
const RETRY_AFTER_S = 60;

/** The latest comparison of topics and database, for requests that change the configuration, and for health. */
@Injectable()
export class Standing {
  private readonly logger = new Logger(Standing.name);
  private comparison: Comparison | undefined;

  constructor(health: Health) {
    configurationAhead.set(0);
    health.addReadiness({
      name: 'configuration',
      problem: () => (this.comparison ? undefined : 'the configuration topics are not compared with the database yet'),
      warning: () => (this.comparison?.kind === 'ahead' ? `${this.comparison.reason}; ${REMEDY}` : undefined),
    });
  }

  get isAhead(): boolean {
    return this.comparison?.kind === 'ahead';
  }

  get isSame(): boolean {
    return this.comparison?.kind === 'same';
  }

  set(comparison: Comparison): void {
    const before = this.comparison;
    this.comparison = comparison;
    configurationAhead.set(comparison.kind === 'ahead' ? 1 : 0);
    if (comparison.kind === 'ahead') {
      if (before?.kind !== 'ahead')
        this.logger.error({ reason: comparison.reason, remedy: REMEDY }, 'configuration.ahead');
    } else if (before?.kind === 'ahead') {
      this.logger.log('configuration.same_again');
    }
  }

  /** @throws ProblemError CONFIGURATION_AHEAD while a change would be made to an older state than the topics have */
  requireSame(): void {
    if (this.comparison?.kind !== 'ahead') return;
    throw new ProblemError('CONFIGURATION_AHEAD', `${this.comparison.reason}; an operator must reconcile them`, {
      retryAfterS: RETRY_AFTER_S,
    });
  }
}
