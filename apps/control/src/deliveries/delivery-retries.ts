import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { WholeDeadLetter } from '../dead-letters/dead-letter.queries.js';
import { replayLetter } from '../dead-letters/dead-letter-replays.js';
import { findEndpoint } from '../endpoints/endpoint.repository.js';
import { archivedEventOf } from '../events/archive.js';
import { deliveryRecord } from '../outbox/delivery-record.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { beginLife, type RequestedLife } from '../replays/lives.js';
import { requestedReplays } from '../replays/metrics.js';
import { ReplayRecords } from '../replays/replay-records.js';
import { audit } from '../shared/audit.js';
import { visibleTenant } from '../shared/tenancy.js';
import { findDelivery } from './delivery.queries.js';
import type { FoundDelivery } from './found-delivery.js';

/** Gives deliveries another life on request: record, new state and audit line are one transaction. */
@Injectable()
export class DeliveryRetries {
  constructor(
    private readonly database: Database,
    private readonly records: ReplayRecords,
  ) {}

  /**
   * Sends a delivery that is over again: a dead one by its dead letter, a delivered one from the archived event.
   *
   * @throws ProblemError NOT_FOUND; CONFLICT while the delivery is not over, or when its event or endpoint is gone
   */
  async retry(caller: AuthenticatedKey, id: string): Promise<RequestedLife> {
    const life = await this.database.transaction(async (tx) => {
      // Two requests at once, for a delivery that may have no row to lock.
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('posthorn.retry.' || $1, 0))`, [id]);
      const delivery = await findDelivery(tx, id, visibleTenant(caller, undefined));
      if (delivery.status !== 'dead' && delivery.status !== 'delivered') {
        throw new ProblemError('CONFLICT', `the delivery is ${delivery.status}: it is under way already`);
      }
      const letter = delivery.status === 'dead' ? await lastDeadLetter(tx, delivery) : undefined;
      const begun = letter ? await replayLetter(tx, letter, this.records) : await sendAgain(tx, delivery);
      await audit(tx, { actor: caller, tenant: delivery.tenant, action: 'delivery.retried', subject: id });
      return begun;
    });
    requestedReplays.inc({ kind: 'delivery' });
    return life;
  }
}

async function sendAgain(tx: Queryable, delivery: FoundDelivery): Promise<RequestedLife> {
  const event = await archivedEventOf(tx, delivery);
  const endpoint = await findEndpoint(tx, delivery.endpoint_id, delivery.tenant);
  if (endpoint === undefined) throw new ProblemError('CONFLICT', 'the endpoint no longer exists');
  const life = { delivery_id: delivery.id, replay: delivery.replay + 1 };
  await beginLife(tx, life, delivery.accepted_at);
  await enqueueOutbox(tx, [deliveryRecord(event, endpoint, life.replay)]);
  return life;
}

async function lastDeadLetter(tx: Queryable, { id, replay }: FoundDelivery): Promise<WholeDeadLetter | undefined> {
  const [letter] = await tx.query<WholeDeadLetter>(
    `SELECT * FROM dead_letters WHERE delivery_id = $1 AND replay = $2 AND replayed_at IS NULL
     ORDER BY dead_at DESC LIMIT 1 FOR UPDATE`,
    [id, replay],
  );
  return letter;
}
