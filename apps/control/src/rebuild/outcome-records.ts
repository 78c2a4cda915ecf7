import type { Queryable } from '#common/postgres/database.js';
import { classifyError } from '#common/postgres/errors.js';
import type { InRecord } from '#common/records/record.js';
import { storeOutcomes } from '../projector/outcome-rows.js';
import {
  type DeliveryRow,
  latestStates,
  type ProjectedDeadLetter,
  projectAttempts,
  projectDeadLetter,
  stateAfter,
} from '../projector/projection.js';
import type { RebuildSession } from './session.js';

/**
 * Brings records of `attempts` back. The breaker does not count them: its state belongs to the present.
 *
 * @returns the number of missing attempts
 */
export async function restoreAttempts(session: RebuildSession, records: readonly InRecord[]): Promise<number> {
  // The projector logged and counted malformed records when they were new.
  const { attempts } = projectAttempts(records);
  if (session.isDryRun) return noteStates(session, latestStates(attempts.map(stateAfter)));
  return storeParts(attempts, async (part) => {
    const unseen = await session.transaction((tx) => storeOutcomes(tx, part, []));
    return unseen.size;
  });
}

/** Brings records of `dlq` back. @returns the number of missing dead letters */
export async function restoreDeadLetters(session: RebuildSession, records: readonly InRecord[]): Promise<number> {
  const letters = records.map(projectDeadLetter);
  const lacking = await withoutRow(session, letters);
  if (session.isDryRun) {
    await noteStates(session, latestStates(letters.flatMap(({ delivery }) => delivery ?? [])));
    return lacking.length;
  }
  return storeParts(lacking, async (part) => {
    await session.transaction((tx) => storeOutcomes(tx, [], part));
    return part.length;
  });
}

/** A row that PostgreSQL cannot hold is left out, as the projector left it out when it was new. @throws other errors */
async function storeParts<T>(items: readonly T[], store: (part: readonly T[]) => Promise<number>): Promise<number> {
  try {
    return await store(items);
  } catch (error) {
    if (classifyError(error).kind !== 'row') throw error;
    if (items.length <= 1) return 0;
    const middle = Math.ceil(items.length / 2);
    return (await storeParts(items.slice(0, middle), store)) + (await storeParts(items.slice(middle), store));
  }
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

/** @returns the number of states that the database lacked */
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
