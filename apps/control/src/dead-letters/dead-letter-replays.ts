import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { beginLife, type RequestedLife } from '../replays/lives.js';
import { requestedReplays } from '../replays/metrics.js';
import { ReplayRecords } from '../replays/replay-records.js';
import { audit } from '../shared/audit.js';
import { visibleTenant } from '../shared/tenancy.js';
import { findDeadLetter, type WholeDeadLetter } from './dead-letter.queries.js';

/**
 * Replays dead letters. The record, the mark that says so and the audit line are one transaction: nothing is replayed twice by
 * two requests, and nothing that was promised is lost while Kafka is away.
 */
@Injectable()
export class DeadLetterReplays {
  constructor(
    private readonly database: Database,
    private readonly records: ReplayRecords,
  ) {}

  /** @throws ProblemError NOT_FOUND; CONFLICT when it was replayed already, is no delivery, or is too large to send */
  async replay(caller: AuthenticatedKey, id: string): Promise<RequestedLife> {
    const life = await this.database.transaction(async (tx) => {
      const letter = await findDeadLetter(tx, id, visibleTenant(caller, undefined), { lock: true });
      const begun = await replayLetter(tx, letter, this.records);
      await audit(tx, { actor: caller, tenant: letter.tenant, action: 'dead_letter.replayed', subject: id });
      return begun;
    });
    requestedReplays.inc({ kind: 'dead_letter' });
    return life;
  }
}

/** Begins the next life of a dead delivery from its dead letter, which the transaction has locked. @throws ProblemError CONFLICT */
export async function replayLetter(
  tx: Queryable,
  letter: WholeDeadLetter,
  records: ReplayRecords,
): Promise<RequestedLife> {
  const { id, delivery_id, accepted_at, key, value, headers, reason } = letter;
  if (delivery_id === null || accepted_at === null || key === null) {
    throw new ProblemError(
      'CONFLICT',
      `a dead letter with the reason ${reason} is no delivery: publish the event anew`,
    );
  }
  if (letter.replayed_at !== null) throw new ProblemError('CONFLICT', 'the dead letter was replayed already');
  const record = records.of({ id, reason, key, value, headers, replay: letter.replay });
  if (typeof record === 'string') throw new ProblemError('CONFLICT', record);
  const life = { delivery_id, replay: (letter.replay ?? 0) + 1 };
  await tx.query('UPDATE dead_letters SET replayed_at = now() WHERE id = $1', [id]);
  await beginLife(tx, life, accepted_at);
  await enqueueOutbox(tx, [record]);
  return life;
}
