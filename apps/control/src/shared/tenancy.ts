import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { DEFAULT_TENANT } from '#common/domain/identifiers.js';
import { ProblemError } from '#common/http/problem.js';

/**
 * Whose rows a request may see.
 *
 * @param named the tenant the request names, if it does
 * @returns undefined for all tenants, which only an admin key can mean
 * @throws ProblemError FORBIDDEN when a tenant's key names another tenant
 */
export function visibleTenant(caller: AuthenticatedKey, named: string | undefined): string | undefined {
  if (caller.tenant === null) return named;
  if (named !== undefined && named !== caller.tenant) {
    throw new ProblemError('FORBIDDEN', `this API key acts for the tenant "${caller.tenant}" only`);
  }
  return caller.tenant;
}

/** The tenant something new belongs to: the key's own, or the one an admin key names, or `default`. */
export function owningTenant(caller: AuthenticatedKey, named: string | undefined): string {
  return visibleTenant(caller, named) ?? DEFAULT_TENANT;
}
