import { joinedColumn, timeOf, unnestColumns } from '#common/postgres/array-parameters.js';
import type { Queryable } from '#common/postgres/database.js';
import type { DeliveryRow } from './projection.js';

/** `latestStates` in SQL: a state replaces one of an earlier life, a weaker one, or one of an earlier attempt. */
const UPSERT = `INSERT INTO deliveries AS d (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay,
     attempts, last_status_code, last_error, dead_reason, next_attempt_at, updated_at)
   SELECT id, ${timeOf('accepted_ms')}, tenant, event_id, event_type, endpoint_id, coalesce(lane, ''), status,
     replay::int, attempts::int, last_status_code::int, last_error, dead_reason, ${timeOf('next_attempt_ms')}, now()
   FROM ${unnestColumns(14)} AS i (id, accepted_ms, tenant, event_id, event_type, endpoint_id, lane, status, replay,
     attempts, last_status_code, last_error, dead_reason, next_attempt_ms)
   ON CONFLICT (id, accepted_at) DO UPDATE SET
     status = excluded.status, replay = excluded.replay,
     attempts = CASE WHEN d.replay = excluded.replay THEN greatest(d.attempts, excluded.attempts) ELSE excluded.attempts END,
     last_status_code = excluded.last_status_code, last_error = excluded.last_error,
     dead_reason = excluded.dead_reason, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at
   WHERE (excluded.replay, array_position(ARRAY['pending', 'retrying', 'dead', 'delivered'], excluded.status), excluded.attempts)
       > (d.replay, array_position(ARRAY['pending', 'retrying', 'dead', 'delivered'], d.status), d.attempts)`;

/** @param rows as `latestStates` gives them, whose text PostgreSQL can hold */
export async function upsertDeliveries(tx: Queryable, rows: readonly DeliveryRow[]): Promise<void> {
  if (rows.length === 0) return;
  const columns = [
    joinedColumn(rows, ({ id }) => id),
    joinedColumn(rows, ({ accepted_at }) => accepted_at),
    joinedColumn(rows, ({ tenant }) => tenant),
    joinedColumn(rows, ({ event_id }) => event_id),
    joinedColumn(rows, ({ event_type }) => event_type),
    joinedColumn(rows, ({ endpoint_id }) => endpoint_id),
    joinedColumn(rows, ({ lane }) => lane),
    joinedColumn(rows, ({ status }) => status),
    joinedColumn(rows, ({ replay }) => replay),
    joinedColumn(rows, ({ attempts }) => attempts),
    joinedColumn(rows, ({ last_status_code }) => last_status_code),
    joinedColumn(rows, ({ last_error }) => last_error),
    joinedColumn(rows, ({ dead_reason }) => dead_reason),
    joinedColumn(rows, ({ next_attempt_at }) => next_attempt_at),
  ];
  await tx.query(UPSERT, columns, 'upsert-deliveries');
}
