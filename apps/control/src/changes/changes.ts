import type { Queryable } from '#common/postgres/database.js';
import type { ChangeNumber } from '#common/records/configuration-change.js';

/** Changes that are kept: many times as many as happen between two backups. */
const CHANGES_KEPT = 100_000;

/**
 * Numbers a change of an endpoint or API key. The rows of the change must be locked first: until this transaction ends no
 * other change is numbered, so that numbers follow the order of commits and of the outbox.
 */
export async function nextChange(tx: Queryable, topic: string, key: string): Promise<ChangeNumber> {
  await lockChanges(tx);
  const [change] = await tx.query<ChangeNumber>(
    `INSERT INTO configuration_changes (sequence, topic, key)
     SELECT coalesce(max(sequence), 0) + 1, $1, $2 FROM configuration_changes RETURNING sequence, id`,
    [topic, key],
  );
  if (change === undefined) throw new Error('a change of the configuration was not numbered');
  return change;
}

/** Until this transaction ends no change is numbered. */
export async function lockChanges(tx: Queryable): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('posthorn.configuration.' || current_schema(), 0))`);
}

/** The numbers of changes in the database. */
export interface KnownChanges {
  readonly latest: ChangeNumber;
  readonly oldestSequence: number;
  /** Id of the change with the number that was asked for; undefined when there is none. */
  readonly askedId: string | undefined;
}

/** @param sequence the number to look up */
export async function knownChanges(db: Queryable, sequence: number): Promise<KnownChanges> {
  const [row] = await db.query<{ sequence: number; id: string; oldest: number; asked: string | null }>(
    `SELECT sequence, id, (SELECT min(sequence) FROM configuration_changes) AS oldest,
       (SELECT id FROM configuration_changes WHERE sequence = $1) AS asked
     FROM configuration_changes ORDER BY sequence DESC LIMIT 1`,
    [sequence],
    'known-changes',
  );
  if (row === undefined) throw new Error('the database has no change of the configuration');
  return {
    latest: { sequence: row.sequence, id: row.id },
    oldestSequence: row.oldest,
    askedId: row.asked ?? undefined,
  };
}

/** @returns how many were forgotten */
export async function forgetChanges(db: Queryable): Promise<number> {
  const rows = await db.query(
    'DELETE FROM configuration_changes WHERE sequence < (SELECT max(sequence) - $1 FROM configuration_changes) RETURNING 1',
    [CHANGES_KEPT],
  );
  return rows.length;
}
