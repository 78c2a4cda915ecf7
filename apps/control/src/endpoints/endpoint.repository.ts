import { newId } from '#common/domain/identifiers.js';
import type { Queryable } from '#common/postgres/database.js';
import type { ChangeNumber } from '#common/records/configuration-change.js';
import { OPTION_NAMES } from '#common/records/endpoint-option-shapes.js';
import { Conditions } from '../shared/conditions.js';
import type { Position } from '../shared/paging.js';
import type { StoredEndpoint } from './endpoint.js';

/** The columns a tenant's request decides. */
export type EndpointSettings = Omit<
  StoredEndpoint,
  'id' | 'tenant' | 'version' | 'sequence' | 'change_id' | 'created_at' | 'updated_at' | 'secrets' | 'breaker_state'
>;

const SELECT = `
  SELECT e.*, coalesce((
    SELECT jsonb_agg(jsonb_build_object(
        'sealed', s.sealed,
        'created_at', extract(epoch FROM s.created_at) * 1000,
        'expires_at', extract(epoch FROM s.expires_at) * 1000)
      ORDER BY s.expires_at IS NULL DESC, s.created_at DESC, s.id)
    FROM endpoint_secrets s WHERE s.endpoint_id = e.id), '[]') AS secrets,
    coalesce((SELECT h.state FROM endpoint_health h WHERE h.endpoint_id = e.id), 'closed') AS breaker_state
  FROM endpoints e`;

const SETTINGS = [
  ...OPTION_NAMES,
  'header_names',
  'headers_sealed',
  'status',
  'disabled_reason',
  'disabled_at',
  'paused_at',
] as const satisfies readonly (keyof EndpointSettings)[];

/** @param tenant undefined for any @param options.lock holds the row until the transaction ends */
export async function findEndpoint(
  db: Queryable,
  id: string,
  tenant: string | undefined,
  options: { lock?: boolean } = {},
): Promise<StoredEndpoint | undefined> {
  const conditions = new Conditions().add('e.id = ?', id).add('e.tenant = ?', tenant);
  const sql = `${SELECT} WHERE ${conditions.sql} ${options.lock ? 'FOR UPDATE OF e' : ''}`;
  const [endpoint] = await db.query<StoredEndpoint>(sql, conditions.params);
  return endpoint;
}

/**
 * Holds the endpoint's rows until the transaction ends: its health first, since whoever stores outcomes has that one and
 * may then want the other.
 */
export async function lockEndpoint(
  tx: Queryable,
  id: string,
  tenant: string | undefined,
): Promise<StoredEndpoint | undefined> {
  await tx.query('SELECT FROM endpoint_health WHERE endpoint_id = $1 FOR UPDATE', [id]);
  return findEndpoint(tx, id, tenant, { lock: true });
}

/** Newest first, up to `limit`. */
export async function listEndpoints(
  db: Queryable,
  { tenant, before, limit }: { tenant: string | undefined; before: Position | undefined; limit: number },
): Promise<StoredEndpoint[]> {
  const conditions = new Conditions()
    .add('e.tenant = ?', tenant)
    .add('(e.created_at, e.id) < (?, ?)', before?.at, before?.key[0]);
  const rows = `${SELECT} WHERE ${conditions.sql} ORDER BY e.created_at DESC, e.id DESC`;
  return db.query<StoredEndpoint>(`${rows} LIMIT ${conditions.param(limit)}`, conditions.params);
}

/** Those of these that exist. */
export async function endpointsByIds(db: Queryable, ids: readonly string[]): Promise<StoredEndpoint[]> {
  return db.query<StoredEndpoint>(`${SELECT} WHERE e.id = ANY($1)`, [ids]);
}

export async function insertEndpoint(
  tx: Queryable,
  endpoint: EndpointSettings & Pick<StoredEndpoint, 'id' | 'tenant'>,
): Promise<void> {
  const columns = ['id', 'tenant', ...SETTINGS];
  const values = [endpoint.id, endpoint.tenant, ...settingValues(endpoint)];
  const places = values.map((_, index) => `$${index + 1}`);
  await tx.query(`INSERT INTO endpoints (${columns.join(', ')}) VALUES (${places.join(', ')})`, values);
  await tx.query('INSERT INTO endpoint_health (endpoint_id) VALUES ($1) ON CONFLICT DO NOTHING', [endpoint.id]);
}

/** Writes the settings and counts the version up. Its row must be locked. */
export async function updateEndpoint(tx: Queryable, id: string, settings: EndpointSettings): Promise<void> {
  const assignments = SETTINGS.map((column, index) => `${column} = $${index + 2}`);
  await tx.query(`UPDATE endpoints SET ${assignments.join(', ')}, ${NEXT_VERSION} WHERE id = $1`, [
    id,
    ...settingValues(settings),
  ]);
}

const NEXT_VERSION = `version = version + 1, updated_at = date_trunc('milliseconds', clock_timestamp())`;

/** A new state that nobody asked for, such as the breaker's: only the version tells. */
export async function countVersionUp(tx: Queryable, id: string): Promise<void> {
  await tx.query('UPDATE endpoints SET version = version + 1 WHERE id = $1', [id]);
}

/** Makes the endpoint what is given, secrets and version included, whether or not it is there. */
export async function replaceEndpoint(tx: Queryable, endpoint: StoredEndpoint): Promise<void> {
  const columns = ['id', 'tenant', ...OWN, ...SETTINGS];
  const values = [endpoint.id, endpoint.tenant, ...OWN.map((column) => endpoint[column]), ...settingValues(endpoint)];
  const places = values.map((_, index) => `$${index + 1}`);
  const assignments = columns.map((column) => `${column} = excluded.${column}`);
  await tx.query(
    `INSERT INTO endpoints (${columns.join(', ')}) VALUES (${places.join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${assignments.join(', ')}`,
    values,
  );
  await tx.query('DELETE FROM endpoint_secrets WHERE endpoint_id = $1', [endpoint.id]);
  for (const { sealed, created_at, expires_at } of endpoint.secrets) {
    await tx.query(
      `INSERT INTO endpoint_secrets (id, endpoint_id, sealed, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
      [newId('sec'), endpoint.id, sealed, new Date(created_at), expires_at === null ? null : new Date(expires_at)],
    );
  }
}

/** Columns that requests do not decide. */
const OWN = ['version', 'sequence', 'change_id', 'created_at', 'updated_at'] as const;

/** Notes the number of the change that this transaction makes. */
export async function numberEndpoint(tx: Queryable, id: string, change: ChangeNumber): Promise<void> {
  await tx.query('UPDATE endpoints SET sequence = $2, change_id = $3 WHERE id = $1', [id, change.sequence, change.id]);
}

export async function deleteEndpoint(tx: Queryable, id: string): Promise<void> {
  await tx.query('DELETE FROM endpoint_health WHERE endpoint_id = $1', [id]);
  await tx.query('DELETE FROM endpoints WHERE id = $1', [id]);
}

/**
 * The endpoints asked, by a 410, to be left alone. Those that were changed since then stay as they are: an operator may
 * have enabled one again.
 *
 * @returns ids of those that were disabled now, locked
 */
export async function disableGone(
  tx: Queryable,
  gone: readonly { readonly endpointId: string; readonly at: Date }[],
): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `UPDATE endpoints e SET status = 'disabled', disabled_reason = 'gone', disabled_at = g.at, ${NEXT_VERSION}
     FROM (SELECT id, max(at) AS at FROM unnest($1::text[], $2::timestamptz[]) AS g(id, at) GROUP BY id) g
     WHERE e.id = g.id AND e.status = 'active' AND e.updated_at < g.at
     RETURNING e.id`,
    [gone.map(({ endpointId }) => endpointId), gone.map(({ at }) => at)],
  );
  return rows.map(({ id }) => id);
}

export async function insertSecret(tx: Queryable, endpointId: string, sealed: string): Promise<void> {
  await tx.query('INSERT INTO endpoint_secrets (id, endpoint_id, sealed) VALUES ($1, $2, $3)', [
    newId('sec'),
    endpointId,
    sealed,
  ]);
}

/**
 * Ends the present secret at `expiresAt`, and forgets those that have ended by `now`. Those that were present before it
 * end when they were promised to.
 */
export async function retireSecret(
  tx: Queryable,
  endpointId: string,
  { now, expiresAt }: { now: Date; expiresAt: Date },
): Promise<void> {
  await tx.query('UPDATE endpoint_secrets SET expires_at = $2 WHERE endpoint_id = $1 AND expires_at IS NULL', [
    endpointId,
    expiresAt,
  ]);
  await tx.query('DELETE FROM endpoint_secrets WHERE endpoint_id = $1 AND expires_at <= $2', [endpointId, now]);
  await tx.query(`UPDATE endpoints SET ${NEXT_VERSION} WHERE id = $1`, [endpointId]);
}

/** Ends all secrets at once. */
export async function deleteSecrets(tx: Queryable, endpointId: string): Promise<void> {
  await tx.query('DELETE FROM endpoint_secrets WHERE endpoint_id = $1', [endpointId]);
  await tx.query(`UPDATE endpoints SET ${NEXT_VERSION} WHERE id = $1`, [endpointId]);
}

function settingValues(settings: EndpointSettings): unknown[] {
  return SETTINGS.map((column) => (column === 'retry_policy' ? JSON.stringify(settings[column]) : settings[column]));
}
