import { ProblemError } from '#common/http/problem.js';
import type { StoredOptions } from '#common/records/endpoint-option-shapes.js';

/** @throws ProblemError BODY_INVALID when the longest cool-down is shorter than the first */
export function requireOrderedCooldowns(options: StoredOptions): StoredOptions {
  if (options.breaker_max_cooldown_s >= options.breaker_cooldown_s) return options;
  const errors = [{ field: 'breaker.max_cooldown_s', message: 'must not be less than cooldown_s' }];
  throw new ProblemError('BODY_INVALID', 'not valid: breaker.max_cooldown_s', { errors });
}
