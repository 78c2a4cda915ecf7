import type { Queryable } from '#common/postgres/database.js';
import { EndpointSecretEntity, type EndpointSecretRow } from '#common/postgres/entities/endpoint-secret.js';
import { repositoryOf } from '#common/postgres/repositories.js';
import { newId } from '#common/random/new-id.js';
import type { StoredSecret } from './endpoint.js';

export async function insertSecret(tx: Queryable, endpointId: string, sealed: string): Promise<void> {
  await repositoryOf(tx, EndpointSecretEntity).insert({ id: newId('sec'), endpoint_id: endpointId, sealed });
}

/**
 * Ends the present secret at `expiresAt`, and forgets those that have ended by `now`. Those that were present before it
 * end when they were promised to.
 */
export async function retireSecret(
  tx: Queryable,
  endpointId: string,
  { now, expiresAt }: { now: Date; expiresAt: Date },
): Promise<void> {
  await repositoryOf(tx, EndpointSecretEntity)
    .createQueryBuilder()
    .update()
    .set({ expires_at: expiresAt })
    .where('endpoint_id = :endpointId AND expires_at IS NULL', { endpointId })
    .execute();
  await deleteExpiredSecrets(tx, endpointId, now);
}

export async function deleteExpiredSecrets(tx: Queryable, endpointId: string, now: Date): Promise<void> {
  await repositoryOf(tx, EndpointSecretEntity)
    .createQueryBuilder()
    .delete()
    .where('endpoint_id = :endpointId AND expires_at <= :now', { endpointId, now })
    .execute();
}

/** Ends all secrets at once. */
export async function deleteSecrets(tx: Queryable, endpointId: string): Promise<void> {
  await repositoryOf(tx, EndpointSecretEntity).delete({ endpoint_id: endpointId });
}

/** Makes the endpoint's secrets those given. */
export async function replaceSecrets(
  tx: Queryable,
  endpointId: string,
  secrets: readonly StoredSecret[],
): Promise<void> {
  await deleteSecrets(tx, endpointId);
  const rows = secrets.map(({ sealed, created_at, expires_at }) => ({
    id: newId('sec'),
    endpoint_id: endpointId,
    sealed,
    created_at: new Date(created_at),
    expires_at: expires_at === null ? null : new Date(expires_at),
  }));
  if (rows.length > 0) await repositoryOf(tx, EndpointSecretEntity).insert(rows);
}

export async function secretsOf(db: Queryable, endpointId: string): Promise<EndpointSecretRow[]> {
  return repositoryOf(db, EndpointSecretEntity).findBy({ endpoint_id: endpointId });
}

/** Stores a secret that is sealed under another key. */
export async function resealSecret(tx: Queryable, id: string, sealed: string): Promise<void> {
  await repositoryOf(tx, EndpointSecretEntity).update({ id }, { sealed });
}
