import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { deliveryIdOf } from '#common/domain/identifiers.js';
import { ProblemError } from '#common/http/problem.js';
import { type ArchivedEvent, ownEvent } from '#common/postgres/archived-event.js';
import { Database } from '#common/postgres/database.js';
import { insertOwnEvent } from '#common/postgres/event-columns.js';
import { newId } from '#common/random/new-id.js';
import { deliveryRecord } from '../outbox/delivery-record.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { audit } from '../shared/audit.js';
import { visibleTenant } from '../shared/tenancy.js';
import { findEndpoint } from './endpoint.repository.js';

const TEST_TYPE = 'posthorn.test';

/** Sends one endpoint a signed event of its own, whatever it subscribes to: to try a new URL or secret. */
@Injectable()
export class TestEvents {
  constructor(private readonly database: Database) {}

  /** @throws ProblemError NOT_FOUND; CONFLICT when the endpoint is disabled */
  async send(caller: AuthenticatedKey, endpointId: string): Promise<{ event_id: string; delivery_id: string }> {
    return this.database.transaction(async (tx) => {
      const endpoint = await findEndpoint(tx, endpointId, visibleTenant(caller, undefined));
      if (endpoint === undefined) throw new ProblemError('NOT_FOUND', 'there is no such endpoint');
      if (endpoint.status === 'disabled') throw new ProblemError('CONFLICT', 'the endpoint is disabled');
      const event = testEvent(endpoint.tenant, endpointId, new Date());
      await insertOwnEvent(tx, event, [endpointId]);
      await enqueueOutbox(tx, [deliveryRecord(event, endpoint, 0)]);
      const detail = { event_id: event.id };
      await audit(tx, { actor: caller, tenant: event.tenant, action: 'endpoint.tested', subject: endpointId, detail });
      return { event_id: event.id, delivery_id: deliveryIdOf(event.tenant, event.id, endpointId) };
    });
  }
}

function testEvent(tenant: string, endpointId: string, now: Date): ArchivedEvent {
  const data = JSON.stringify({ endpoint_id: endpointId, message: 'A test event: nothing happened.' });
  return ownEvent({ tenant, id: newId('evt'), type: TEST_TYPE, data }, now);
}
