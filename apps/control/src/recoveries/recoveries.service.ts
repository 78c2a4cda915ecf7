import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database } from '#common/postgres/database.js';
import type { Recovery } from '#common/postgres/entities/recovery.js';
import { newId } from '#common/random/new-id.js';
import { findEndpoint } from '../endpoints/endpoint.repository.js';
import { audit } from '../shared/audit.js';
import { decodeCursor, type Page, toPage } from '../shared/paging.js';
import { visibleTenant } from '../shared/tenancy.js';
import { cancelRecovery, findRecovery, insertRecovery, listRecoveries } from './recovery.repository.js';
import type { BulkReplayRequest, RecoverRequest, RecoveryFilter, ShownRecovery } from './recovery-schemas.js';
import { RecoveryWorker } from './recovery-worker.js';

/** Begins, shows and cancels jobs that send many deliveries again. */
@Injectable()
export class RecoveriesService {
  constructor(
    private readonly database: Database,
    private readonly worker: RecoveryWorker,
  ) {}

  /** @throws ProblemError NOT_FOUND; CONFLICT when the endpoint is disabled */
  async recover(caller: AuthenticatedKey, endpointId: string, request: RecoverRequest): Promise<ShownRecovery> {
    const endpoint = await findEndpoint(this.database, endpointId, visibleTenant(caller, undefined));
    if (endpoint === undefined) throw new ProblemError('NOT_FOUND', 'there is no such endpoint');
    if (endpoint.status === 'disabled') throw new ProblemError('CONFLICT', 'the endpoint is disabled: resume it first');
    const { since, until, only } = request;
    return this.begin(caller, {
      kind: 'endpoint',
      tenant: endpoint.tenant,
      endpoint_id: endpointId,
      filter: { since, until: until ?? new Date().toISOString(), only },
    });
  }

  /** Dead letters that match, those that were replayed and those that never were deliveries left out. */
  async replayDeadLetters(caller: AuthenticatedKey, request: BulkReplayRequest): Promise<ShownRecovery> {
    const { tenant: named, endpoint_id, type, reason, since, until } = request;
    const asked = Object.entries({ type, reason, since, until: until ?? new Date().toISOString() });
    return this.begin(caller, {
      kind: 'dead_letters',
      tenant: visibleTenant(caller, named) ?? null,
      endpoint_id: endpoint_id ?? null,
      filter: Object.fromEntries(asked.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
    });
  }

  /** @throws ProblemError NOT_FOUND */
  async get(caller: AuthenticatedKey, id: string): Promise<ShownRecovery> {
    return show(found(await findRecovery(this.database, id, visibleTenant(caller, undefined))));
  }

  async list(caller: AuthenticatedKey, filter: RecoveryFilter): Promise<Page<ShownRecovery>> {
    const rows = await listRecoveries(this.database, {
      tenant: visibleTenant(caller, filter.tenant),
      endpointId: filter.endpoint_id,
      before: decodeCursor(filter.cursor, 1),
      limit: filter.limit + 1,
    });
    return toPage(rows, filter.limit, show, ({ created_at, id }) => ({ at: created_at, key: [id] }));
  }

  /** Cancels a job. Sent deliveries stay sent. @throws ProblemError NOT_FOUND; CONFLICT when the job is over */
  async cancel(caller: AuthenticatedKey, id: string): Promise<ShownRecovery> {
    return this.database.transaction(async (tx) => {
      const { tenant, state } = found(await findRecovery(tx, id, visibleTenant(caller, undefined)));
      const job = await cancelRecovery(tx, id);
      if (job === undefined) throw new ProblemError('CONFLICT', `the recovery is ${state} already`);
      await audit(tx, { actor: caller, tenant, action: 'recovery.cancelled', subject: id });
      return show(job);
    });
  }

  private async begin(
    caller: AuthenticatedKey,
    job: Pick<Recovery, 'kind' | 'tenant' | 'endpoint_id' | 'filter'>,
  ): Promise<ShownRecovery> {
    const stored = await this.database.transaction(async (tx) => {
      const recovery = await insertRecovery(tx, { ...job, id: newId('rec') });
      const detail = { kind: job.kind, endpoint_id: job.endpoint_id, ...job.filter };
      const subject = recovery.id;
      await audit(tx, { actor: caller, tenant: job.tenant, action: 'recovery.begun', subject, detail });
      return recovery;
    });
    this.worker.begin();
    return show(stored);
  }
}

function found(job: Recovery | undefined): Recovery {
  if (job === undefined) throw new ProblemError('NOT_FOUND', 'there is no such recovery');
  return job;
}

function show({ cursor: _cursor, created_at, updated_at, ...job }: Recovery): ShownRecovery {
  const { id, kind, tenant, endpoint_id, filter, state, problem, total, sent, skipped } = job;
  return {
    id,
    kind,
    tenant,
    endpoint_id,
    filter,
    state,
    problem,
    total,
    sent,
    skipped,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}
