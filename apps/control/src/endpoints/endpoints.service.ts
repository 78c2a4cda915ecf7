import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { formatSecret } from '#common/domain/signature.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { newId } from '#common/random/new-id.js';
import { newOptions, patchedOptions } from '#common/records/endpoint-option-shapes.js';
import type { EndpointDefaults } from '#common/records/endpoint-options.js';
import { type AddressPolicy, checkUrl } from '#common/security/address-policy.js';
import { sealingContext } from '#common/security/sealing.js';
import { changeBreaker } from '../breakers/run-breaker.js';
import { Standing } from '../changes/standing.js';
import { publishEndpointEvent } from '../outbox/operational-events.js';
import { SealingKeys } from '../secrets/sealing-keys.js';
import { audit } from '../shared/audit.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { decodeCursor, type Page, toPage } from '../shared/paging.js';
import { owningTenant, visibleTenant } from '../shared/tenancy.js';
import { type StoredEndpoint, showEndpoint, validSecrets } from './endpoint.js';
import {
  deleteEndpoint,
  type EndpointSettings,
  findEndpoint,
  insertEndpoint,
  listEndpoints,
  lockEndpoint,
  noteSecretsChanged,
  updateEndpoint,
} from './endpoint.repository.js';
import { announceDeletion, announceEndpoint } from './endpoint-announcement.js';
import { requireOrderedCooldowns } from './endpoint-limits.js';
import { collides, type EndpointCreate, type EndpointPatch, type ShownEndpoint } from './endpoint-schemas.js';
import { deleteSecrets, insertSecret, retireSecret } from './endpoint-secrets.repository.js';

/** DI token of the {@link AddressPolicy}. */
export const ADDRESS_POLICY = Symbol('AddressPolicy');

const SECRET_BYTES = 32;
/** Each valid secret adds a signature to every message. */
const MAX_SECRETS = 5;

/** Creates, shows and changes endpoints. Every change is one transaction with its outbox record and its audit line. */
@Injectable()
export class EndpointsService {
  constructor(
    private readonly database: Database,
    private readonly sealer: SealingKeys,
    @Inject(ADDRESS_POLICY) private readonly addressPolicy: AddressPolicy,
    @Inject(CONTROL_CONFIG) private readonly config: EndpointDefaults,
    private readonly standing: Standing,
  ) {}

  /** @throws ProblemError URL_NOT_ALLOWED, SECRET_KEYS_WRONG, CONFIGURATION_AHEAD */
  async create(caller: AuthenticatedKey, input: EndpointCreate): Promise<ShownEndpoint & { secret: string }> {
    this.standing.requireSame();
    this.requireAllowedUrl(input.url);
    const { url, headers } = input;
    const tenant = owningTenant(caller, input.tenant);
    const id = newId('ep');
    const key = randomBytes(SECRET_BYTES);
    const endpoint = await this.database.transaction(async (tx) => {
      await insertEndpoint(tx, {
        ...requireOrderedCooldowns(newOptions(input, this.config)),
        ...this.sealHeaders(headers, tenant, id),
        id,
        tenant,
        status: 'active',
        disabled_reason: null,
        disabled_at: null,
        paused_at: null,
      });
      await insertSecret(tx, id, this.sealer.seal(key, sealingContext(tenant, id, 'secret')));
      await audit(tx, { actor: caller, tenant, action: 'endpoint.created', subject: id, detail: { url } });
      return announceEndpoint(tx, id);
    });
    return { ...shown(endpoint), secret: formatSecret(key) };
  }

  async list(
    caller: AuthenticatedKey,
    { tenant, cursor, limit }: { tenant?: string | undefined; cursor?: string | undefined; limit: number },
  ): Promise<Page<ShownEndpoint>> {
    const rows = await listEndpoints(this.database, {
      tenant: visibleTenant(caller, tenant),
      before: decodeCursor(cursor, 1),
      limit: limit + 1,
    });
    return toPage(rows, limit, shown, ({ created_at, id }) => ({ at: created_at, key: [id] }));
  }

  /** @throws ProblemError NOT_FOUND, for another tenant's endpoint as well */
  async get(caller: AuthenticatedKey, id: string): Promise<ShownEndpoint> {
    return shown(await findEndpoint(this.database, id, visibleTenant(caller, undefined)));
  }

  /** @throws ProblemError NOT_FOUND, URL_NOT_ALLOWED, BODY_INVALID, SECRET_KEYS_WRONG, CONFIGURATION_AHEAD */
  async change(caller: AuthenticatedKey, id: string, patch: EndpointPatch): Promise<ShownEndpoint> {
    this.standing.requireSame();
    if (patch.url !== undefined) this.requireAllowedUrl(patch.url);
    const endpoint = await this.database.transaction(async (tx) => {
      const before = await this.lock(tx, caller, id);
      const after = this.patched(before, patch);
      await updateEndpoint(tx, id, after);
      if (patch.breaker !== undefined) await changeBreaker(tx, id, { type: 'configured' });
      await tellStatus(tx, before, after.status);
      const detail = { fields: Object.keys(patch) };
      await audit(tx, { actor: caller, tenant: before.tenant, action: 'endpoint.changed', subject: id, detail });
      return announceEndpoint(tx, id);
    });
    return shown(endpoint);
  }

  /** Deliveries that are not over become dead: `invalid_endpoint`. @throws ProblemError NOT_FOUND, CONFIGURATION_AHEAD */
  async remove(caller: AuthenticatedKey, id: string): Promise<void> {
    this.standing.requireSame();
    await this.database.transaction(async (tx) => {
      const before = await this.lock(tx, caller, id);
      const { tenant, url } = before;
      await deleteEndpoint(tx, id);
      await audit(tx, { actor: caller, tenant, action: 'endpoint.deleted', subject: id, detail: { url } });
      await announceDeletion(tx, before);
    });
  }

  /**
   * Gives the endpoint a new secret. The present one stays valid for the overlap, older ones as long as they were promised
   * to be; an overlap of 0 ends them all at once.
   *
   * @throws ProblemError NOT_FOUND; SECRET_KEYS_WRONG; CONFIGURATION_AHEAD; CONFLICT when a secret would have to go that is
   *   still valid
   */
  async rotateSecret(
    caller: AuthenticatedKey,
    id: string,
    overlapS: number,
  ): Promise<ShownEndpoint & { secret: string }> {
    this.standing.requireSame();
    const key = randomBytes(SECRET_BYTES);
    const endpoint = await this.database.transaction(async (tx) => {
      const before = await this.lock(tx, caller, id);
      await endSecrets(tx, before, overlapS);
      await noteSecretsChanged(tx, id);
      await insertSecret(tx, id, this.sealer.seal(key, sealingContext(before.tenant, id, 'secret')));
      const detail = { overlap_s: overlapS };
      await audit(tx, { actor: caller, tenant: before.tenant, action: 'secret.rotated', subject: id, detail });
      return announceEndpoint(tx, id);
    });
    return { ...shown(endpoint), secret: formatSecret(key) };
  }

  private async lock(tx: Queryable, caller: AuthenticatedKey, id: string): Promise<StoredEndpoint> {
    return found(await lockEndpoint(tx, id, visibleTenant(caller, undefined)));
  }

  private patched(before: StoredEndpoint, patch: EndpointPatch): EndpointSettings {
    const { headers, enabled } = patch;
    const sealed = headers === undefined ? {} : this.sealHeaders(headers, before.tenant, before.id);
    const after: EndpointSettings = {
      ...before,
      ...requireOrderedCooldowns(patchedOptions(before, patch)),
      ...sealed,
      ...(enabled === undefined ? {} : enabledState(enabled)),
    };
    const staticHeaders = Object.fromEntries(after.header_names.map((name) => [name, '']));
    if (collides(staticHeaders, after.signature_header)) {
      const errors = [{ field: 'signature_header', message: 'must not be one of the static headers' }];
      throw new ProblemError('BODY_INVALID', 'not valid: signature_header', { errors });
    }
    return after;
  }

  private sealHeaders(
    headers: Readonly<Record<string, string>>,
    tenant: string,
    id: string,
  ): Pick<StoredEndpoint, 'header_names' | 'headers_sealed'> {
    const header_names = Object.keys(headers);
    if (header_names.length === 0) return { header_names, headers_sealed: null };
    const plain = Buffer.from(JSON.stringify(headers));
    return { header_names, headers_sealed: this.sealer.seal(plain, sealingContext(tenant, id, 'headers')) };
  }

  private requireAllowedUrl(url: string): void {
    const problem = checkUrl(url, this.addressPolicy);
    if (problem === undefined) return;
    const errors = [{ field: 'url', message: problem.message }];
    throw new ProblemError('URL_NOT_ALLOWED', `the URL ${problem.message}`, { errors });
  }
}

async function endSecrets(tx: Queryable, endpoint: StoredEndpoint, overlapS: number): Promise<void> {
  if (overlapS === 0) return deleteSecrets(tx, endpoint.id);
  const now = new Date();
  const valid = validSecrets(endpoint, now.getTime());
  if (valid.length >= MAX_SECRETS) {
    const firstEnd = new Date(Math.min(...valid.map(({ expires_at }) => expires_at ?? Infinity))).toISOString();
    const detail = `${valid.length} secrets are valid, the first until ${firstEnd}: wait for that, or end all of them with an overlap_s of 0`;
    throw new ProblemError('CONFLICT', detail);
  }
  await retireSecret(tx, endpoint.id, { now, expiresAt: new Date(now.getTime() + overlapS * 1_000) });
}

function enabledState(enabled: boolean): Pick<EndpointSettings, 'status' | 'disabled_reason' | 'disabled_at'> {
  if (enabled) return { status: 'active', disabled_reason: null, disabled_at: null };
  return { status: 'disabled', disabled_reason: 'operator', disabled_at: new Date() };
}

/** The tenant learns that an endpoint takes no events any more, or takes them again. */
async function tellStatus(tx: Queryable, before: StoredEndpoint, after: StoredEndpoint['status']): Promise<void> {
  if (before.status === after) return;
  const type = after === 'disabled' ? 'endpoint.disabled' : 'endpoint.recovered';
  await publishEndpointEvent(tx, type, before, { reason: 'operator' });
}

function shown(endpoint: StoredEndpoint | undefined): ShownEndpoint {
  return showEndpoint(found(endpoint), Date.now());
}

function found<T>(endpoint: T | undefined): T {
  if (endpoint === undefined) throw new ProblemError('NOT_FOUND', 'there is no such endpoint');
  return endpoint;
}
