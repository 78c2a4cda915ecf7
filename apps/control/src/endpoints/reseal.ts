import type { Database, Queryable } from '#common/postgres/database.js';
import { type SealedPurpose, type Sealer, SealingError, sealingContext } from '#common/security/sealing.js';
import { countVersionUp, lockEndpoint, resealHeaders } from './endpoint.repository.js';
import { announceEndpoint } from './endpoint-announcement.js';
import { deleteExpiredSecrets, resealSecret, secretsOf } from './endpoint-secrets.repository.js';

/** Progress of `resealAll`. */
export interface ResealProgress {
  /** Endpoints sealed under the first key now. */
  readonly resealed: number;
  /** Endpoints with a secret that does not open: `SECRET_KEYS` lacks its key. They stay as they are. */
  readonly failed: number;
}

const PAGE = 100;

/**
 * Seals every secret and every static header under the first of `SECRET_KEYS`. Each endpoint is one transaction with its
 * announcement, so it may be interrupted, repeated, and run while control runs.
 */
export async function resealAll(
  database: Database,
  sealer: Sealer,
  onProgress: (progress: ResealProgress) => void = () => undefined,
): Promise<ResealProgress> {
  let progress = { resealed: 0, failed: 0 };
  for (let after = ''; ; ) {
    const ids = await endpointsToReseal(database, sealer.sealsUnder, after);
    for (const id of ids) {
      const isDone = await database.transaction((tx) => reseal(tx, id, sealer)).catch(falseIfSealed);
      progress = { resealed: progress.resealed + (isDone ? 1 : 0), failed: progress.failed + (isDone ? 0 : 1) };
    }
    onProgress(progress);
    const last = ids.at(-1);
    if (last === undefined || ids.length < PAGE) return progress;
    after = last;
  }
}

async function endpointsToReseal(db: Queryable, keyId: string, after: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `SELECT e.id FROM endpoints e
     WHERE e.id > $1 AND (split_part(e.headers_sealed, ':', 2) <> $2 OR EXISTS (
       SELECT FROM endpoint_secrets s WHERE s.endpoint_id = e.id AND split_part(s.sealed, ':', 2) <> $2))
     ORDER BY e.id LIMIT $3`,
    [after, keyId, PAGE],
  );
  return rows.map(({ id }) => id);
}

/** Secrets that have expired are deleted: nothing signs with them any more. @throws SealingError when one does not open */
async function reseal(tx: Queryable, id: string, sealer: Sealer): Promise<true> {
  const endpoint = await lockEndpoint(tx, id, undefined);
  if (endpoint === undefined) return true;
  const again = (sealed: string, purpose: SealedPurpose) => {
    const context = sealingContext(endpoint.tenant, id, purpose);
    return sealer.seal(sealer.open(sealed, context), context);
  };
  await deleteExpiredSecrets(tx, id, new Date());
  for (const secret of await secretsOf(tx, id)) await resealSecret(tx, secret.id, again(secret.sealed, 'secret'));
  const { headers_sealed } = endpoint;
  if (headers_sealed !== null) await resealHeaders(tx, id, again(headers_sealed, 'headers'));
  await countVersionUp(tx, id);
  await announceEndpoint(tx, id);
  return true;
}

function falseIfSealed(error: unknown): false {
  if (error instanceof SealingError) return false;
  throw error;
}
