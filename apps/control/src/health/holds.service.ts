import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { changeBreaker } from '../breakers/run-breaker.js';
import { Standing } from '../changes/standing.js';
import { type StoredEndpoint, showEndpoint } from '../endpoints/endpoint.js';
import { lockEndpoint, updateEndpoint } from '../endpoints/endpoint.repository.js';
import { announceEndpoint } from '../endpoints/endpoint-announcement.js';
import type { ShownEndpoint } from '../endpoints/endpoint-schemas.js';
import { publishEndpointEvent } from '../outbox/operational-events.js';
import { audit } from '../shared/audit.js';
import { visibleTenant } from '../shared/tenancy.js';

/** An operator's hold on an endpoint, and the end of every hold. Both may be asked for twice. */
@Injectable()
export class HoldsService {
  constructor(
    private readonly database: Database,
    private readonly standing: Standing,
  ) {}

  /** Pauses the endpoint: its deliveries are parked. @throws ProblemError NOT_FOUND, CONFIGURATION_AHEAD */
  async pause(caller: AuthenticatedKey, id: string): Promise<ShownEndpoint> {
    return this.change(caller, id, async (tx, before) => {
      if (before.paused_at !== null) return false;
      await updateEndpoint(tx, id, { ...before, paused_at: new Date() });
      await audit(tx, { actor: caller, tenant: before.tenant, action: 'endpoint.paused', subject: id });
      return true;
    });
  }

  /**
   * Ends every hold of the endpoint: ends a pause, closes the breaker, enables it.
   * Parked deliveries then drain, in order.
   *
   * @throws ProblemError NOT_FOUND, CONFIGURATION_AHEAD
   */
  async resume(caller: AuthenticatedKey, id: string): Promise<ShownEndpoint> {
    return this.change(caller, id, async (tx, before) => {
      const breaker = await changeBreaker(tx, id, { type: 'resumed' });
      const wasDisabled = before.status === 'disabled';
      if (before.paused_at === null && !wasDisabled && breaker === undefined) return false;
      const enabled = { status: 'active', disabled_reason: null, disabled_at: null, paused_at: null } as const;
      await updateEndpoint(tx, id, { ...before, ...enabled });
      const detail = { paused: before.paused_at !== null, disabled: wasDisabled, breaker: before.breaker_state };
      await audit(tx, { actor: caller, tenant: before.tenant, action: 'endpoint.resumed', subject: id, detail });
      if (wasDisabled || breaker) await publishEndpointEvent(tx, 'endpoint.recovered', before, { reason: 'operator' });
      return true;
    });
  }

  /** @param work returns whether it changed anything */
  private async change(
    caller: AuthenticatedKey,
    id: string,
    work: (tx: Queryable, before: StoredEndpoint) => Promise<boolean>,
  ): Promise<ShownEndpoint> {
    this.standing.requireSame();
    const endpoint = await this.database.transaction(async (tx) => {
      const before = await lockEndpoint(tx, id, visibleTenant(caller, undefined));
      if (before === undefined) throw new ProblemError('NOT_FOUND', 'there is no such endpoint');
      const announced = (await work(tx, before)) ? await announceEndpoint(tx, id) : undefined;
      return announced ?? before;
    });
    return showEndpoint(endpoint, Date.now());
  }
}
