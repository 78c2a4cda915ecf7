import type { Queryable } from '#common/postgres/database.js';
import type { OutRecord } from '#common/records/record.js';
import { encodeHeaders } from '#common/records/stored-headers.js';

/** Channel of NOTIFY; one schema's relay must not wake another's. */
export const OUTBOX_CHANNEL_SQL = `'posthorn_outbox_' || current_schema()`;

/**
 * Enqueues records for Kafka: the relay writes them in this order, after this transaction has committed. Two transactions
 * may commit in another order than their rows are numbered, so a transaction locks the row of a key before it enqueues
 * records of that key.
 */
export async function enqueueOutbox(tx: Queryable, records: readonly OutRecord[]): Promise<void> {
  if (records.length === 0) return;
  await tx.query(
    `WITH owed AS (
       INSERT INTO outbox (topic, key, value, headers)
       SELECT r.topic, r.key, r.value, r.headers
       FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::jsonb[])
         WITH ORDINALITY AS r(topic, key, value, headers, position)
       ORDER BY position
       RETURNING 1)
     SELECT pg_notify(${OUTBOX_CHANNEL_SQL}, '') FROM owed LIMIT 1`,
    [
      records.map(({ topic }) => topic),
      records.map(({ key }) => (key === null ? null : Buffer.from(key))),
      records.map(({ value }) => (value === null ? null : Buffer.from(value))),
      records.map(({ headers }) => JSON.stringify(encodeHeaders(headers ?? {}))),
    ],
  );
}
