import type { Queryable } from '#common/postgres/database.js';
import type { Recovery, RecoveryCursor } from '#common/postgres/entities/recovery.js';
import type { OutRecord } from '#common/records/record.js';
import { enqueueOutbox } from '../outbox/outbox.js';
import { beginNextLives } from '../replays/lives.js';
import type { ReplayableLetter, ReplayRecords } from '../replays/replay-records.js';
import { Conditions } from '../shared/conditions.js';
import { type RecoveryPage, SEND_PAGE } from './recovery-page.js';

interface Letter extends ReplayableLetter {
  readonly delivery_id: string;
  readonly accepted_at: Date;
  readonly replay: number;
  readonly dlq_partition: number;
  readonly dlq_offset: number;
}

/**
 * One page of a bulk replay: the records go back as they are, in the order in which their events were accepted. Called
 * within the transaction that stores the cursor.
 */
export async function replayPage(tx: Queryable, job: Recovery, records: ReplayRecords): Promise<RecoveryPage> {
  if (job.state === 'counting') return { cursor: undefined, found: await count(tx, job), sent: 0 };
  const letters = await nextLetters(tx, job);
  const last = letters.at(-1);
  const cursor = letters.length < SEND_PAGE || last === undefined ? undefined : cursorOf(last);
  return { cursor, found: letters.length, sent: await send(tx, letters, records) };
}

function conditionsOf({ tenant, endpoint_id, filter }: Recovery): Conditions {
  return new Conditions()
    .add('tenant = ?', tenant ?? undefined)
    .add('endpoint_id = ?', endpoint_id ?? undefined)
    .add('event_type = ?', filter.type)
    .add('reason = ?', filter.reason)
    .add('dead_at >= ?', filter.since)
    .add('dead_at < ?', filter.until);
}

/** A dead letter that never was a delivery has no endpoint, so it cannot be replayed. */
const TO_REPLAY = 'replayed_at IS NULL AND delivery_id IS NOT NULL AND key IS NOT NULL';

async function count(tx: Queryable, job: Recovery): Promise<number> {
  const conditions = conditionsOf(job);
  const [row] = await tx.query<{ total: number }>(
    `SELECT count(*) AS total FROM dead_letters WHERE ${TO_REPLAY} AND ${conditions.sql}`,
    conditions.params,
  );
  return row?.total ?? 0;
}

async function nextLetters(tx: Queryable, job: Recovery): Promise<Letter[]> {
  const [atMs, partition, offset] = job.cursor ?? [];
  const conditions = conditionsOf(job).add(
    '(accepted_at, dlq_partition, dlq_offset) > (?, ?, ?)',
    atMs === undefined ? undefined : new Date(Number(atMs)),
    partition,
    offset,
  );
  return tx.query<Letter>(
    `SELECT id, delivery_id, accepted_at, replay, dlq_partition, dlq_offset, reason, key, value, headers FROM dead_letters
     WHERE ${TO_REPLAY} AND ${conditions.sql}
     ORDER BY accepted_at, dlq_partition, dlq_offset LIMIT ${conditions.param(SEND_PAGE)}`,
    conditions.params,
  );
}

/** @returns the number of replayed dead letters; of two for one death, one counts. Dead letters that cannot be sent stay */
async function send(tx: Queryable, letters: readonly Letter[], records: ReplayRecords): Promise<number> {
  const sendable = new Map<Letter, OutRecord>();
  for (const letter of letters) {
    const record = records.of(letter);
    if (typeof record !== 'string') sendable.set(letter, record);
  }
  if (sendable.size === 0) return 0;
  const begun = await beginLives(tx, [...sendable.keys()]);
  const marked = await tx.query<{ id: string }>(
    'UPDATE dead_letters SET replayed_at = now() WHERE id = ANY($1) AND replayed_at IS NULL RETURNING id',
    [[...sendable.keys()].filter(({ delivery_id }) => begun.has(delivery_id)).map(({ id }) => id)],
  );
  const ours = new Set(marked.map(({ id }) => id));
  const sent = [...sendable].filter(([{ id, delivery_id }]) => ours.has(id) && begun.delete(delivery_id));
  await enqueueOutbox(
    tx,
    sent.map(([, record]) => record),
  );
  return sent.length;
}

/** @returns ids of the deliveries whose next life began */
async function beginLives(tx: Queryable, letters: readonly Letter[]): Promise<Set<string>> {
  const lives = letters.map(({ delivery_id, accepted_at, replay }) => ({ id: delivery_id, accepted_at, replay }));
  const begun = await beginNextLives(tx, lives);
  for (const id of await withoutRow(tx, lives)) begun.add(id);
  return begun;
}

/** A dead letter may outlive its delivery's row: retention counts from death there, from acceptance here. */
async function withoutRow(tx: Queryable, lives: readonly { id: string; accepted_at: Date }[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `SELECT s.id FROM unnest($1::text[], $2::timestamptz[]) AS s (id, accepted_at)
     WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = s.id AND d.accepted_at = s.accepted_at)`,
    [lives.map(({ id }) => id), lives.map(({ accepted_at }) => accepted_at)],
  );
  return rows.map(({ id }) => id);
}

function cursorOf({ accepted_at, dlq_partition, dlq_offset }: Letter): RecoveryCursor {
  return [accepted_at.getTime(), dlq_partition, dlq_offset];
}
