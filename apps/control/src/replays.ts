import { Inject, Injectable } from '@nestjs/common';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { AuthenticatedKey } from '#common/security/api-key.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { archivedEventOf } from './archive.js';
import { findEndpoint } from './endpoints/endpoint.repository.js';
import { deliveryRecord } from './outbox/delivery-record.js';
import { owe } from './outbox/outbox.js';
import { findDeadLetter, type WholeDeadLetter } from './queries/dead-letter.queries.js';
import { findDelivery } from './queries/delivery.queries.js';
import type { FoundDelivery } from './queries/found-delivery.js';
import { replayRecord } from './replay-record.js';
import { requestedReplays } from './replays/metrics.js';
import { audit } from './shared/audit.js';
import { visibleTenant } from './shared/tenancy.js';

/** A life of a delivery that was asked for. */
export interface RequestedLife {
  readonly delivery_id: string;
  readonly replay: number;
}

/**
 * Gives deliveries another life. The record, the mark that says so and the audit line are one transaction: nothing is
 * replayed twice by two requests, and nothing that was promised is lost while Kafka is away.
 */
@Injectable()
export class Replays {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(DeadLetterSigner) private readonly signer: DeadLetterSigner,
  ) {}

  /** @throws ProblemError NOT_FOUND; CONFLICT when it was replayed already, or is no delivery */
  async replayDeadLetter(caller: AuthenticatedKey, id: string): Promise<RequestedLife> {
    const life = await this.database.transaction(async (tx) => {
      const letter = await findDeadLetter(tx, id, visibleTenant(caller, undefined), { lock: true });
      const begun = await replay(tx, letter, this.signer);
      await audit(tx, { actor: caller, tenant: letter.tenant, action: 'dead_letter.replayed', subject: id });
      return begun;
    });
    requestedReplays.inc({ kind: 'dead_letter' });
    return life;
  }

  /**
   * Sends a delivery that is over again: a dead one by its dead letter, a delivered one from the archived event.
   *
   * @throws ProblemError NOT_FOUND; CONFLICT while the delivery is under way, or when its event or endpoint is gone
   */
  async retryDelivery(caller: AuthenticatedKey, id: string): Promise<RequestedLife> {
    const life = await this.database.transaction(async (tx) => {
      // Two requests at once, for a delivery that may have no row to lock.
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('posthorn.retry.' || $1, 0))`, [id]);
      const delivery = await findDelivery(tx, id, visibleTenant(caller, undefined));
      if (delivery.status !== 'dead' && delivery.status !== 'delivered') {
        throw new ProblemError('CONFLICT', `the delivery is ${delivery.status}: it is under way already`);
      }
      const letter = delivery.status === 'dead' ? await lastDeadLetter(tx, delivery) : undefined;
      const begun = letter ? await replay(tx, letter, this.signer) : await sendAgain(tx, delivery);
      await audit(tx, { actor: caller, tenant: delivery.tenant, action: 'delivery.retried', subject: id });
      return begun;
    });
    requestedReplays.inc({ kind: 'delivery' });
    return life;
  }
}

async function replay(tx: Queryable, letter: WholeDeadLetter, signer: DeadLetterSigner): Promise<RequestedLife> {
  const { id, delivery_id, accepted_at, key, value, headers, reason } = letter;
  if (delivery_id === null || accepted_at === null || key === null) {
    throw new ProblemError(
      'CONFLICT',
      `a dead letter with the reason ${reason} is no delivery: publish the event anew`,
    );
  }
  if (letter.replayed_at !== null) throw new ProblemError('CONFLICT', 'the dead letter was replayed already');
  const life = { delivery_id, replay: (letter.replay ?? 0) + 1 };
  await tx.query('UPDATE dead_letters SET replayed_at = now() WHERE id = $1', [id]);
  await beginLife(tx, life, accepted_at);
  await owe(tx, [replayRecord({ reason, key, value, headers }, signer)]);
  return life;
}

async function sendAgain(tx: Queryable, delivery: FoundDelivery): Promise<RequestedLife> {
  const event = await archivedEventOf(tx, delivery);
  const endpoint = await findEndpoint(tx, delivery.endpoint_id, delivery.tenant);
  if (endpoint === undefined) throw new ProblemError('CONFLICT', 'the endpoint no longer exists');
  const life = { delivery_id: delivery.id, replay: delivery.replay + 1 };
  await beginLife(tx, life, delivery.accepted_at);
  await owe(tx, [deliveryRecord(event, endpoint, life.replay)]);
  return life;
}

/** The delivery is pending from now on: asking again is a conflict, and earlier lives change it no more. */
async function beginLife(tx: Queryable, { delivery_id, replay }: RequestedLife, acceptedAt: Date): Promise<void> {
  const begun = await tx.query(
    `UPDATE deliveries SET status = 'pending', replay = $3, attempts = 0, last_status_code = NULL, last_error = NULL,
       dead_reason = NULL, next_attempt_at = NULL, updated_at = now()
     WHERE id = $1 AND accepted_at = $2 AND replay < $3 RETURNING 1`,
    [delivery_id, acceptedAt, replay],
  );
  if (begun.length > 0) return;
  const [row] = await tx.query('SELECT 1 FROM deliveries WHERE id = $1 AND accepted_at = $2', [
    delivery_id,
    acceptedAt,
  ]);
  if (row !== undefined) throw new ProblemError('CONFLICT', 'the delivery was sent again meanwhile');
}

async function lastDeadLetter(tx: Queryable, { id, replay }: FoundDelivery): Promise<WholeDeadLetter | undefined> {
  const [letter] = await tx.query<WholeDeadLetter>(
    `SELECT * FROM dead_letters WHERE delivery_id = $1 AND replay = $2 AND replayed_at IS NULL
     ORDER BY dead_at DESC LIMIT 1 FOR UPDATE`,
    [id, replay],
  );
  return letter;
}
