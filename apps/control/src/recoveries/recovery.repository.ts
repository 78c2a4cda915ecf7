import type { Queryable } from '#common/postgres/database.js';
import { type Recovery, RecoveryEntity } from '#common/postgres/entities/recovery.js';
import { repositoryOf } from '#common/postgres/repositories.js';
import type { Position } from '../shared/paging.js';

const IS_OPEN = `state IN ('counting', 'sending')`;
const NOW = `date_trunc('milliseconds', now())`;

export async function insertRecovery(
  tx: Queryable,
  job: Pick<Recovery, 'id' | 'kind' | 'tenant' | 'endpoint_id' | 'filter'>,
): Promise<Recovery> {
  const recoveries = repositoryOf(tx, RecoveryEntity);
  await recoveries.insert({ ...job, state: 'counting' });
  return recoveries.findOneByOrFail({ id: job.id });
}

/** @param tenant undefined for any */
export async function findRecovery(
  db: Queryable,
  id: string,
  tenant: string | undefined,
): Promise<Recovery | undefined> {
  const where = tenant === undefined ? { id } : { id, tenant };
  return (await repositoryOf(db, RecoveryEntity).findOneBy(where)) ?? undefined;
}

/** Newest first, up to `limit`. */
export async function listRecoveries(
  db: Queryable,
  {
    tenant,
    endpointId,
    before,
    limit,
  }: {
    tenant: string | undefined;
    endpointId: string | undefined;
    before: Position | undefined;
    limit: number;
  },
): Promise<Recovery[]> {
  const jobs = repositoryOf(db, RecoveryEntity).createQueryBuilder('job');
  if (tenant !== undefined) jobs.andWhere('job.tenant = :tenant', { tenant });
  if (endpointId !== undefined) jobs.andWhere('job.endpoint_id = :endpointId', { endpointId });
  if (before !== undefined) {
    jobs.andWhere('(job.created_at, job.id) < (:at, :id)', { at: before.at, id: before.key[0] });
  }
  return jobs.orderBy('job.created_at', 'DESC').addOrderBy('job.id', 'DESC').limit(limit).getMany();
}

/** A job whose next page is due, locked; one that another process works on is left to it. */
export async function lockDueRecovery(tx: Queryable): Promise<Recovery | undefined> {
  const job = await repositoryOf(tx, RecoveryEntity)
    .createQueryBuilder('job')
    .where(`job.${IS_OPEN} AND job.next_at <= clock_timestamp()`)
    .orderBy('job.next_at')
    .limit(1)
    .setLock('pessimistic_write')
    .setOnLocked('skip_locked')
    .getOne();
  return job ?? undefined;
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
export async function advanceRecovery(
  tx: Queryable,
  { id, state, problem, total, sent, skipped, cursor }: Recovery,
  waitS: number,
): Promise<void> {
  const next_at = () => 'clock_timestamp() + make_interval(secs => :waitS)';
  await repositoryOf(tx, RecoveryEntity)
    .createQueryBuilder()
    .update()
    .set({ state, problem, total, sent, skipped, cursor, next_at, updated_at: () => NOW })
    .setParameters({ waitS })
    .where({ id })
    .execute();
}

/** Ends a job at its next page. @returns undefined when the job is over */
export async function cancelRecovery(tx: Queryable, id: string): Promise<Recovery | undefined> {
  const update = repositoryOf(tx, RecoveryEntity)
    .createQueryBuilder()
    .update()
    .set({ state: 'cancelled', updated_at: () => NOW })
    .where(`id = :id AND ${IS_OPEN}`, { id })
    .returning('*');
  const [job]: Recovery[] = (await update.execute()).raw;
  return job;
}
