import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import type { Queryable } from '#common/postgres/database.js';
import { AuditEntryEntity } from '#common/postgres/entities/audit-entry.js';
import { repositoryOf } from '#common/postgres/repositories.js';

/** The actor of a change: an API key, or the system itself. */
export type Actor = AuthenticatedKey | 'system';

/** One line of the audit log. */
export interface AuditEntry {
  readonly actor: Actor;
  readonly tenant: string | null;
  /** `endpoint.created`, `secret.rotated`, … */
  readonly action: string;
  /** Id of the changed object. */
  readonly subject: string;
  /** Details of the change; never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Writes the audit log in the same transaction as the change: there is no change without its line. */
export async function audit(tx: Queryable, { actor, tenant, action, subject, detail }: AuditEntry): Promise<void> {
  await repositoryOf(tx, AuditEntryEntity).insert({
    actor: actor === 'system' ? actor : actor.id,
    tenant,
    action,
    subject,
    detail: detail ?? {},
  });
}
