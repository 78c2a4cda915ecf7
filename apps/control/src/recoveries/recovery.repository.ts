import type { Queryable } from '#common/postgres/database.js';
import { Conditions } from '../shared/conditions.js';
import type { Position } from '../shared/paging.js';
import type { RecoveryState } from './recovery-schemas.js';

/** Where a job's next page begins; of which shape is the matter of its kind. */
export type RecoveryCursor = readonly (string | number)[];

/** A job that sends many deliveries again. */
export interface Recovery {
  readonly id: string;
  readonly kind: 'endpoint' | 'dead_letters';
  readonly tenant: string | null;
  readonly endpoint_id: string | null;
  readonly filter: Readonly<Record<string, string>>;
  readonly state: RecoveryState;
  readonly problem: string | null;
  readonly total: number;
  readonly sent: number;
  readonly skipped: number;
  readonly cursor: RecoveryCursor | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export async function insertRecovery(
  tx: Queryable,
  job: Pick<Recovery, 'id' | 'kind' | 'tenant' | 'endpoint_id' | 'filter'>,
): Promise<Recovery> {
  const [stored] = await tx.query<Recovery>(
    `INSERT INTO recoveries (id, kind, tenant, endpoint_id, filter, state) VALUES ($1, $2, $3, $4, $5, 'counting')
     RETURNING *`,
    [job.id, job.kind, job.tenant, job.endpoint_id, JSON.stringify(job.filter)],
  );
  if (stored === undefined) throw new Error('the job was not stored');
  return stored;
}

/** @param tenant undefined for any */
export async function findRecovery(
  db: Queryable,
  id: string,
  tenant: string | undefined,
): Promise<Recovery | undefined> {
  const conditions = new Conditions().add('id = ?', id).add('tenant = ?', tenant);
  const [job] = await db.query<Recovery>(`SELECT * FROM recoveries WHERE ${conditions.sql}`, conditions.params);
  return job;
}

/** Newest first, up to `limit`. */
export async function listRecoveries(
  db: Queryable,
  filter: {
    tenant: string | undefined;
    endpointId: string | undefined;
    before: Position | undefined;
    limit: number;
  },
): Promise<Recovery[]> {
  const conditions = new Conditions()
    .add('tenant = ?', filter.tenant)
    .add('endpoint_id = ?', filter.endpointId)
    .add('(created_at, id) < (?, ?)', filter.before?.at, filter.before?.key[0]);
  return db.query<Recovery>(
    `SELECT * FROM recoveries WHERE ${conditions.sql}
     ORDER BY created_at DESC, id DESC LIMIT ${conditions.param(filter.limit)}`,
    conditions.params,
  );
}

/** The job that has waited longest for its next page, locked; those other processes are at are left to them. */
export async function lockDueRecovery(tx: Queryable): Promise<Recovery | undefined> {
  const [job] = await tx.query<Recovery>(
    `SELECT * FROM recoveries WHERE state IN ('counting', 'sending') AND next_at <= clock_timestamp()
     ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
  );
  return job;
}

/** @returns ms until the next page of any job is due; undefined when there is no job */
export async function msUntilDue(db: Queryable): Promise<number | undefined> {
  const [row] = await db.query<{ wait_ms: number | null }>(
    `SELECT ceil(1000 * extract(epoch FROM min(next_at) - clock_timestamp()))::float8 AS wait_ms
     FROM recoveries WHERE state IN ('counting', 'sending')`,
  );
  return row?.wait_ms ?? undefined;
}

/** @param waitS until its next page may begin */
export async function advanceRecovery(tx: Queryable, job: Recovery, waitS: number): Promise<void> {
  await tx.query(
    `UPDATE recoveries SET state = $2, problem = $3, total = $4, sent = $5, skipped = $6, cursor = $7,
       next_at = clock_timestamp() + make_interval(secs => $8), updated_at = date_trunc('milliseconds', now())
     WHERE id = $1`,
    [
      job.id,
      job.state,
      job.problem,
      job.total,
      job.sent,
      job.skipped,
      job.cursor === null ? null : JSON.stringify(job.cursor),
      waitS,
    ],
  );
}

/** Ends a job at its next page. @returns undefined when it is over already */
export async function cancelRecovery(tx: Queryable, id: string): Promise<Recovery | undefined> {
  const [job] = await tx.query<Recovery>(
    `UPDATE recoveries SET state = 'cancelled', updated_at = date_trunc('milliseconds', now())
     WHERE id = $1 AND state IN ('counting', 'sending') RETURNING *`,
    [id],
  );
  return job;
}
