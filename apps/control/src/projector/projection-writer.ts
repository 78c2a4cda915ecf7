import { Inject, Injectable } from '@nestjs/common';
import type { InRecord } from '#common/kafka/record.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { ATTEMPTS_TOPIC } from '#common/records/topics.js';
import { audit } from '../audit.js';
import { disableGone } from '../endpoints/endpoint.repository.js';
import { announceEndpoint } from '../endpoints/endpoint-announcement.js';
import type { BreakerChange } from '../health/breaker-changes.js';
import { recordHealth } from '../health/health-recorder.js';
import { type DeadDelivery, publishDeadDeliveries, publishEndpointEvent } from '../operational-events.js';
import {
  type AttemptRow,
  type DeadLetterRow,
  type DeliveryRow,
  latestStates,
  type ProjectedAttempt,
  type ProjectedDeadLetter,
  projectAttempt,
  projectDeadLetter,
} from './projection.js';

/** What a batch came to, for metrics. */
export interface Projected {
  readonly attempts: readonly ProjectedAttempt[];
  readonly deadLetters: readonly ProjectedDeadLetter[];
  readonly breakerChanges: readonly BreakerChange[];
}

/** Writes records of `attempts` and `dlq` to the tables: each exactly once, with its offset in the same transaction. */
@Injectable()
export class ProjectionWriter {
  constructor(@Inject(Database) private readonly database: Database) {}

  /**
   * @param records of any partitions, each partition's in order
   * @returns what was new; records that were projected before are not among it
   * @throws when a record is not understood, or what the database throws: nothing of the batch is kept then
   */
  async write(records: readonly InRecord[]): Promise<Projected> {
    return this.database.transaction(async (tx) => {
      const fresh = await withoutRepeats(tx, records);
      const attempts = fresh.filter(({ topic }) => topic === ATTEMPTS_TOPIC).map(projectAttempt);
      const deadLetters = fresh.filter(({ topic }) => topic !== ATTEMPTS_TOPIC).map(projectDeadLetter);
      const states = [...attempts, ...deadLetters].flatMap(({ delivery }) => delivery ?? []);
      const unseen = await insertAttempts(tx, attempts);
      await upsertDeliveries(tx, latestStates(states));
      await insertDeadLetters(
        tx,
        deadLetters.map(({ deadLetter }) => deadLetter),
      );
      await markReplayed(tx, states);
      const breakerChanges = await recordHealth(tx, attempts, new Set(unseen));
      await disableEndpoints(tx, attempts);
      await publishDeadDeliveries(tx, deadLetters.flatMap(deadDelivery));
      await advanceOffsets(tx, fresh);
      return { attempts, deadLetters, breakerChanges };
    });
  }
}

/**
 * Leaves out what a transaction stored before: a commit to Kafka that failed, or one of unknown outcome to PostgreSQL. An
 * offset that is too low but younger than all that was stored belongs to a topic that was made anew.
 */
async function withoutRepeats(tx: Queryable, records: readonly InRecord[]): Promise<InRecord[]> {
  const rows = await tx.query<{ topic: string; partition: number; next_offset: number; last_timestamp: Date }>(
    `SELECT * FROM projector_offsets WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
     ORDER BY topic, partition FOR UPDATE`,
    [records.map(({ topic }) => topic), records.map(({ partition }) => partition)],
    'projector-offsets',
  );
  const stored = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row]));
  return records.filter(({ topic, partition, offset, timestamp }) => {
    const row = stored.get(`${topic}/${partition}`);
    return row === undefined || offset >= row.next_offset || timestamp > row.last_timestamp.getTime();
  });
}

async function advanceOffsets(tx: Queryable, records: readonly InRecord[]): Promise<void> {
  const last = new Map(records.map((record) => [`${record.topic}/${record.partition}`, record]));
  const rows = [...last.values()];
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO projector_offsets (topic, partition, next_offset, last_timestamp)
     SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[])
     ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, last_timestamp = excluded.last_timestamp`,
    [
      rows.map(({ topic }) => topic),
      rows.map(({ partition }) => partition),
      rows.map(({ offset }) => offset + 1),
      rows.map(({ timestamp }) => new Date(timestamp)),
    ],
    'projector-advance',
  );
}

/** @returns those that were not stored before: a dispatcher that was killed may tell of the same attempt again */
async function insertAttempts(tx: Queryable, attempts: readonly ProjectedAttempt[]): Promise<ProjectedAttempt[]> {
  if (attempts.length === 0) return [];
  const rows = attempts.map(({ attempt }) => attempt);
  const inserted = await tx.query<AttemptKey>(
    `INSERT INTO attempts (delivery_id, accepted_at, replay, attempt, at, duration_ms, status_code, error, error_detail,
       outcome, response_body)
     SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::int[], $4::int[], $5::timestamptz[], $6::int[], $7::int[],
       $8::text[], $9::text[], $10::text[], $11::bytea[])
     ON CONFLICT DO NOTHING RETURNING delivery_id, replay, attempt`,
    [
      rows.map((row) => row.delivery_id),
      rows.map((row) => row.accepted_at),
      rows.map((row) => row.replay),
      rows.map((row) => row.attempt),
      rows.map((row) => row.at),
      rows.map((row) => row.duration_ms),
      rows.map((row) => row.status_code),
      rows.map((row) => row.error),
      rows.map((row) => row.error_detail),
      rows.map((row) => row.outcome),
      rows.map((row) => row.response_body),
    ],
    'insert-attempts',
  );
  const unseen = new Set(inserted.map(attemptKey));
  return attempts.filter(({ attempt }) => unseen.delete(attemptKey(attempt)));
}

type AttemptKey = Pick<AttemptRow, 'delivery_id' | 'replay' | 'attempt'>;

function attemptKey({ delivery_id, replay, attempt }: AttemptKey): string {
  return `${delivery_id}/${replay}/${attempt}`;
}

/** `latestStates` in SQL: a state replaces one of an earlier life, a weaker one, or one of an earlier attempt. */
async function upsertDeliveries(tx: Queryable, rows: readonly DeliveryRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO deliveries AS d (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay,
       attempts, last_status_code, last_error, dead_reason, next_attempt_at, updated_at)
     SELECT *, now() FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
       $7::text[], $8::text[], $9::int[], $10::int[], $11::int[], $12::text[], $13::text[], $14::timestamptz[])
     ON CONFLICT (id, accepted_at) DO UPDATE SET
       status = excluded.status, replay = excluded.replay,
       attempts = CASE WHEN d.replay = excluded.replay THEN greatest(d.attempts, excluded.attempts) ELSE excluded.attempts END,
       last_status_code = excluded.last_status_code, last_error = excluded.last_error,
       dead_reason = excluded.dead_reason, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at
     WHERE (excluded.replay, array_position(ARRAY['pending', 'retrying', 'dead', 'delivered'], excluded.status), excluded.attempts)
         > (d.replay, array_position(ARRAY['pending', 'retrying', 'dead', 'delivered'], d.status), d.attempts)`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.accepted_at),
      rows.map((row) => row.tenant),
      rows.map((row) => row.event_id),
      rows.map((row) => row.event_type),
      rows.map((row) => row.endpoint_id),
      rows.map((row) => row.lane),
      rows.map((row) => row.status),
      rows.map((row) => row.replay),
      rows.map((row) => row.attempts),
      rows.map((row) => row.last_status_code),
      rows.map((row) => row.last_error),
      rows.map((row) => row.dead_reason),
      rows.map((row) => row.next_attempt_at),
    ],
    'upsert-deliveries',
  );
}

const DEAD_LETTER_COLUMNS = {
  id: 'text',
  reason: 'text',
  detail: 'text',
  last_status_code: 'int',
  last_error: 'text',
  dead_at: 'timestamptz',
  source: 'text',
  dlq_partition: 'int',
  dlq_offset: 'bigint',
  tenant: 'text',
  endpoint_id: 'text',
  event_id: 'text',
  event_type: 'text',
  delivery_id: 'text',
  accepted_at: 'timestamptz',
  replay: 'int',
  key: 'bytea',
  value: 'bytea',
  headers: 'jsonb',
} as const satisfies Record<keyof DeadLetterRow, string>;

async function insertDeadLetters(tx: Queryable, rows: readonly DeadLetterRow[]): Promise<void> {
  if (rows.length === 0) return;
  const columns = Object.keys(DEAD_LETTER_COLUMNS) as (keyof DeadLetterRow)[];
  const arrays = columns.map((column, index) => `$${index + 1}::${DEAD_LETTER_COLUMNS[column]}[]`);
  await tx.query(
    `INSERT INTO dead_letters (${columns.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')}) ON CONFLICT DO NOTHING`,
    columns.map((column) => rows.map((row) => row[column])),
    'insert-dead-letters',
  );
}

/** Whoever replayed a dead letter, and by whatever means: a later life of its delivery shows that it was. */
async function markReplayed(tx: Queryable, states: readonly DeliveryRow[]): Promise<void> {
  const replays = states.filter(({ replay }) => replay > 0);
  if (replays.length === 0) return;
  await tx.query(
    `UPDATE dead_letters l SET replayed_at = now()
     FROM (SELECT delivery_id, max(replay) AS replay FROM unnest($1::text[], $2::int[]) AS r(delivery_id, replay)
           GROUP BY 1) r
     WHERE l.delivery_id = r.delivery_id AND l.replay < r.replay AND l.replayed_at IS NULL`,
    [replays.map(({ id }) => id), replays.map(({ replay }) => replay)],
  );
}

/** A 410 means: never again. The services learn it from the endpoint's configuration. */
async function disableEndpoints(tx: Queryable, attempts: readonly ProjectedAttempt[]): Promise<void> {
  const gone = attempts.filter(({ gone }) => gone);
  if (gone.length === 0) return;
  const asked = gone.map(({ delivery, attempt }) => ({ endpointId: delivery.endpoint_id, at: attempt.at }));
  for (const id of await disableGone(tx, asked)) {
    const endpoint = await announceEndpoint(tx, id);
    const tenant = endpoint?.tenant ?? null;
    await audit(tx, { actor: 'system', tenant, action: 'endpoint.disabled', subject: id, detail: { reason: 'gone' } });
    if (endpoint) await publishEndpointEvent(tx, 'endpoint.disabled', endpoint, { reason: 'gone' });
  }
}

function deadDelivery({ deadLetter, delivery }: ProjectedDeadLetter): DeadDelivery[] {
  if (delivery === undefined) return [];
  return [
    {
      deadLetterId: deadLetter.id,
      deliveryId: delivery.id,
      replay: delivery.replay,
      attempts: delivery.attempts,
      tenant: delivery.tenant,
      endpointId: delivery.endpoint_id,
      eventId: delivery.event_id,
      eventType: delivery.event_type,
      reason: deadLetter.reason,
      detail: deadLetter.detail,
      lastStatusCode: deadLetter.last_status_code,
      lastError: deadLetter.last_error,
      deadAt: deadLetter.dead_at,
    },
  ];
}
