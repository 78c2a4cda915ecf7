import type { InRecord } from '#common/kafka/record.js';
import type { Queryable } from '#common/postgres/database.js';
import type { AttemptRecord } from '#common/records/attempt-record.js';
import { storeOutcomes } from '../projector/outcome-rows.js';
import {
  type DeliveryRow,
  latestStates,
  type ProjectedDeadLetter,
  projectAttempt,
  projectDeadLetter,
  stateAfter,
} from '../projector/projection.js';
import type { RebuildSession } from './session.js';

/** How many records of a batch the database lacked, and how many could not be read. */
export interface Restored {
  readonly restored: number;
  readonly unreadable: number;
}

/** Brings records of `attempts` back. The breaker does not count them: its state belongs to the present. */
export async function restoreAttempts(session: RebuildSession, records: readonly InRecord[]): Promise<Restored> {
  const attempts: AttemptRecord[] = [];
  for (const record of records) {
    try {
      attempts.push(projectAttempt(record));
    } catch {
      // The projector has logged and counted it when it was new.
    }
  }
  const unreadable = records.length - attempts.length;
  if (session.isDryRun) {
    return { restored: await noteStates(session, latestStates(attempts.map(stateAfter))), unreadable };
  }
  const unseen = await session.transaction((tx) => storeOutcomes(tx, attempts, []));
  return { restored: unseen.size, unreadable };
}

/** Brings records of `dlq` back. */
export async function restoreDeadLetters(session: RebuildSession, records: readonly InRecord[]): Promise<Restored> {
  const letters = records.map(projectDeadLetter);
  const lacking = await withoutRow(session, letters);
  if (session.isDryRun) await noteStates(session, latestStates(letters.flatMap(({ delivery }) => delivery ?? [])));
  else await session.transaction((tx) => storeOutcomes(tx, [], lacking));
  return { restored: lacking.length, unreadable: 0 };
}

async function withoutRow(db: Queryable, letters: readonly ProjectedDeadLetter[]): Promise<ProjectedDeadLetter[]> {
  const rows = await db.query<{ id: string }>(
    'SELECT id FROM dead_letters WHERE id = ANY ($1::text[])',
    [letters.map(({ deadLetter }) => deadLetter.id)],
    'rebuild-dead-letters',
  );
  const stored = new Set(rows.map(({ id }) => id));
  return letters.filter(({ deadLetter }) => !stored.has(deadLetter.id));
}

/** @returns how many of these states are news to the database */
async function noteStates(session: RebuildSession, states: readonly DeliveryRow[]): Promise<number> {
  const rows = await session.query<{ id: string }>(
    `INSERT INTO rebuild_outcomes (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay,
       attempts, next_attempt_at, updated_at)
     SELECT i.*, now() FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
       $7::text[], $8::text[], $9::int[], $10::int[], $11::timestamptz[])
       AS i (id, accepted_at, tenant, event_id, event_type, endpoint_id, lane, status, replay, attempts, next_attempt_at)
     WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = i.id AND d.accepted_at = i.accepted_at
       AND (d.replay > i.replay OR (d.replay = i.replay AND d.attempts >= i.attempts)))
     RETURNING id`,
    [
      states.map(({ id }) => id),
      states.map(({ accepted_at }) => new Date(accepted_at)),
      states.map(({ tenant }) => tenant),
      states.map(({ event_id }) => event_id),
      states.map(({ event_type }) => event_type),
      states.map(({ endpoint_id }) => endpoint_id),
      states.map(({ lane }) => lane),
      states.map(({ status }) => status),
      states.map(({ replay }) => replay),
      states.map(({ attempts }) => attempts),
      states.map(({ next_attempt_at }) => (next_attempt_at === null ? null : new Date(next_attempt_at))),
    ],
    'rebuild-states',
  );
  return rows.length;
}
