import { Injectable } from '@nestjs/common';
import { type AuthenticatedKey, generateApiKey, hashApiKey, parseApiKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import type { StoredApiKey } from '#common/postgres/entities/api-key.js';
import { Standing } from '../changes/standing.js';
import { audit } from '../shared/audit.js';
import { decodeCursor, type Page, toPage } from '../shared/paging.js';
import { owningTenant, visibleTenant } from '../shared/tenancy.js';
import { deleteApiKey, findApiKey, insertApiKey, listApiKeys, lockAdminKeys } from './api-key.repository.js';
import type { ApiKeyCreate, ShownApiKey } from './api-key-schemas.js';

/** Creates, shows and revokes API keys. Every change is one transaction with its outbox record and its audit line. */
@Injectable()
export class ApiKeysService {
  constructor(
    private readonly database: Database,
    private readonly standing: Standing,
  ) {}

  /** @throws ProblemError CONFIGURATION_AHEAD; FORBIDDEN when a tenant's key asks for another tenant, or for all */
  async create(caller: AuthenticatedKey, input: ApiKeyCreate): Promise<ShownApiKey & { key: string }> {
    this.standing.requireSame();
    const tenant = this.tenantOfNewKey(caller, input.tenant);
    const { text, id, hash } = generateApiKey();
    const { scopes, description } = input;
    const expires_at = input.expires_at === null ? null : new Date(input.expires_at);
    const stored = await this.database.transaction(async (tx) => {
      await audit(tx, { actor: caller, tenant, action: 'api_key.created', subject: id, detail: { scopes } });
      return insertApiKey(tx, { id, hash, tenant, scopes: [...new Set(scopes)], description, expires_at });
    });
    // 40 random bits met a key that exists: as likely as it is harmless.
    if (stored === undefined) throw new ProblemError('CONFLICT', 'the new key met an existing id; try again');
    return { ...showApiKey(stored), key: text };
  }

  async list(
    caller: AuthenticatedKey,
    { tenant, cursor, limit }: { tenant?: string | undefined; cursor?: string | undefined; limit: number },
  ): Promise<Page<ShownApiKey>> {
    const rows = await listApiKeys(this.database, {
      tenant: visibleTenant(caller, tenant),
      before: decodeCursor(cursor, 1),
      limit: limit + 1,
    });
    return toPage(rows, limit, showApiKey, ({ created_at, id }) => ({ at: created_at, key: [id] }));
  }

  /**
   * @throws ProblemError CONFIGURATION_AHEAD; NOT_FOUND, for another tenant's key as well; CONFLICT for the last admin key of all tenants:
   *   no other key could create one
   */
  async revoke(caller: AuthenticatedKey, id: string): Promise<void> {
    this.standing.requireSame();
    await this.database.transaction(async (tx) => {
      if (caller.tenant === null) await keepLastAdmin(tx, id);
      const key = await deleteApiKey(tx, id, visibleTenant(caller, undefined));
      if (key === undefined) throw new ProblemError('NOT_FOUND', 'there is no such API key');
      await audit(tx, { actor: caller, tenant: key.tenant, action: 'api_key.revoked', subject: id });
    });
  }

  /**
   * Makes sure that the configured admin key exists; once revoked, it comes back at the next start for as long as it is
   * configured.
   *
   * @throws Error when another key has the same id
   */
  async ensureAdminKey(text: string): Promise<void> {
    const id = parseApiKey(text)?.id;
    if (id === undefined) throw new Error('ADMIN_API_KEY is not an API key');
    const hash = hashApiKey(text);
    const key = { id, hash, tenant: null, scopes: ['admin' as const], description: 'ADMIN_API_KEY', expires_at: null };
    await this.database.transaction(async (tx) => {
      if (await insertApiKey(tx, key)) {
        await audit(tx, { actor: 'system', tenant: null, action: 'api_key.created', subject: id });
        return;
      }
      const present = await findApiKey(tx, id);
      if (present?.hash !== hash) throw new Error('another API key has the id of ADMIN_API_KEY');
    });
  }

  private tenantOfNewKey(caller: AuthenticatedKey, named: string | null | undefined): string | null {
    // A field that was forgotten must not make a key that acts for all tenants.
    if (named !== null) return owningTenant(caller, named);
    if (caller.tenant !== null) throw new ProblemError('FORBIDDEN', 'only an admin key of all tenants creates another');
    return null;
  }
}

/** @throws ProblemError CONFLICT when no other key could manage all keys */
async function keepLastAdmin(tx: Queryable, id: string): Promise<void> {
  const admins = await lockAdminKeys(tx);
  if (admins.length === 1 && admins.includes(id)) {
    throw new ProblemError('CONFLICT', 'this is the last admin key of all tenants: create another first');
  }
}

function showApiKey({ id, tenant, scopes, description, created_at, expires_at }: StoredApiKey): ShownApiKey {
  return {
    id,
    tenant,
    scopes,
    description,
    created_at: created_at.toISOString(),
    expires_at: expires_at?.toISOString() ?? null,
  };
}
