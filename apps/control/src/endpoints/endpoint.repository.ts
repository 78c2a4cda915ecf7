import type { Queryable } from '#common/postgres/database.js';
import { EndpointEntity } from '#common/postgres/entities/endpoint.js';
import { repositoryOf } from '#common/postgres/repositories.js';
import type { ChangeNumber } from '#common/records/configuration-change.js';
import { OPTION_NAMES } from '#common/records/endpoint-option-shapes.js';
import { nextVersionSql } from '../changes/next-version.js';
import { Conditions } from '../shared/conditions.js';
import type { Position } from '../shared/paging.js';
import type { StoredEndpoint } from './endpoint.js';
import { replaceSecrets } from './endpoint-secrets.repository.js';

/** The columns a tenant's request decides. */
export type EndpointSettings = Omit<
  StoredEndpoint,
  'id' | 'tenant' | 'version' | 'sequence' | 'change_id' | 'created_at' | 'updated_at' | 'secrets' | 'breaker_state'
>;

/** An endpoint is read by one statement, over three tables; a relation of TypeORM would take one for each. */
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
 * Locks the endpoint's rows until the transaction ends: its health first, since a transaction that stores outcomes has that lock and
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
  await repositoryOf(tx, EndpointEntity).insert(columnsOf(endpoint, ['id', 'tenant', ...SETTINGS]));
  await tx.query('INSERT INTO endpoint_health (endpoint_id) VALUES ($1) ON CONFLICT DO NOTHING', [endpoint.id]);
}

/** Writes the settings and counts the version up. Its row must be locked. */
export async function updateEndpoint(tx: Queryable, id: string, settings: EndpointSettings): Promise<void> {
  await repositoryOf(tx, EndpointEntity).update({ id }, { ...columnsOf(settings, SETTINGS), ...CHANGED });
}

const NEXT_VERSION = nextVersionSql('version');
const CHANGED_AT = `date_trunc('milliseconds', clock_timestamp())`;
/** Columns of every change that a request asks for. */
const CHANGED = { version: () => NEXT_VERSION, updated_at: () => CHANGED_AT };

/** A change of state without a request, such as the breaker's: only the version changes. */
export async function countVersionUp(tx: Queryable, id: string): Promise<void> {
  await repositoryOf(tx, EndpointEntity).update({ id }, { version: () => NEXT_VERSION });
}

/** Stores static headers that are sealed under another key. */
export async function resealHeaders(tx: Queryable, id: string, headers_sealed: string): Promise<void> {
  await repositoryOf(tx, EndpointEntity).update({ id }, { headers_sealed });
}

/** Stores the endpoint as given, with secrets and version, and replaces one with the same id. */
export async function replaceEndpoint(tx: Queryable, endpoint: StoredEndpoint): Promise<void> {
  const row = columnsOf(endpoint, ['id', 'tenant', ...OWN, ...SETTINGS]);
  await repositoryOf(tx, EndpointEntity).upsert(row, ['id']);
  await replaceSecrets(tx, endpoint.id, endpoint.secrets);
}

/** Columns that requests do not decide. */
const OWN = ['version', 'sequence', 'change_id', 'created_at', 'updated_at'] as const;

/** Notes the number of the change that this transaction makes. */
export async function numberEndpoint(tx: Queryable, id: string, change: ChangeNumber): Promise<void> {
  await repositoryOf(tx, EndpointEntity).update({ id }, { sequence: change.sequence, change_id: change.id });
}

/** Ends a change of the endpoint's secrets. */
export async function noteSecretsChanged(tx: Queryable, id: string): Promise<void> {
  await repositoryOf(tx, EndpointEntity).update({ id }, CHANGED);
}

export async function deleteEndpoint(tx: Queryable, id: string): Promise<void> {
  await tx.query('DELETE FROM endpoint_health WHERE endpoint_id = $1', [id]);
  await repositoryOf(tx, EndpointEntity).delete({ id });
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
    `UPDATE endpoints e SET status = 'disabled', disabled_reason = 'gone', disabled_at = g.at, version = ${NEXT_VERSION}, updated_at = ${CHANGED_AT}
     FROM (SELECT id, max(at) AS at FROM unnest($1::text[], $2::timestamptz[]) AS g(id, at) GROUP BY id) g
     WHERE e.id = g.id AND e.status = 'active' AND e.updated_at < g.at
     RETURNING e.id`,
    [gone.map(({ endpointId }) => endpointId), gone.map(({ at }) => at)],
  );
  return rows.map(({ id }) => id);
}

function columnsOf<Name extends keyof Row, Row extends object>(row: Row, names: readonly Name[]): Pick<Row, Name> {
  return Object.fromEntries(names.map((name) => [name, row[name]])) as Pick<Row, Name>;
}
