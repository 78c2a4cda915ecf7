import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { newId } from '#common/random/new-id.js';
import { Sealer, sealingContext } from '#common/security/sealing.js';
import type { BenchSystem } from '../system.ts';

const BATCH = 1_000;
const ENDPOINTS_PER_TENANT = 2;
const SECRET_BYTES = 32;

/** Scheme and port of the receiver: every endpoint is there, at a host name of its own. */
export interface Origin {
  readonly scheme: 'http' | 'https';
  readonly port: number;
}

/** The domain of every endpoint. Posthorn resolves it to the loopback address without DNS. */
export const DOMAIN = 'hooks.localhost';

/** Event type and tenant that only this endpoint takes. @param number of the endpoint, from 0 */
export function addressOf(number: number): { tenant: string; type: string } {
  const tenant = Math.floor(number / ENDPOINTS_PER_TENANT);
  return { tenant: `growth-${tenant}`, type: `growth.made-${number % ENDPOINTS_PER_TENANT}` };
}

/**
 * Inserts endpoints as control would, with one statement for a thousand: a request for each would take half an hour. The
 * rows get their numbers of change, and no row of the outbox: the next relay finds that the topic lacks them.
 */
export class Registrations {
  private readonly system: BenchSystem;
  private readonly origin: Origin;
  private readonly sealer: Sealer;
  /** Id of an endpoint that was created through the API: all others are copies of its row. */
  #template: string | undefined;
  #count = 0;

  constructor(system: BenchSystem, origin: Origin) {
    this.system = system;
    this.origin = origin;
    this.sealer = new Sealer(system.secretKeys);
  }

  /** The apps must be running. */
  async createTemplate() {
    const endpoint = {
      url: this.#urlOf('template'),
      event_types: ['growth.none'],
      retry_policy: { preset: 'patient' },
    };
    ({ id: this.#template } = await this.system.post<{ id: string }>('control', '/v1/endpoints', endpoint));
  }

  /** @returns how many were inserted */
  async insertUpTo(total: number): Promise<number> {
    const before = this.#count;
    const client = new pg.Client({ connectionString: this.system.postgres.url });
    await client.connect();
    try {
      while (this.#count < total) await this.#insert(client, Math.min(BATCH, total - this.#count));
      await client.query('ANALYZE');
    } finally {
      await client.end();
    }
    return this.#count - before;
  }

  async #insert(client: pg.Client, count: number) {
    const numbers = Array.from({ length: count }, (_, index) => this.#count + index);
    const ids = numbers.map(() => newId('ep'));
    const addresses = numbers.map(addressOf);
    const tenants = addresses.map(({ tenant }) => tenant);
    const sealed = ids.map((id, index) =>
      this.sealer.seal(randomBytes(SECRET_BYTES), sealingContext(tenants[index] ?? '', id, 'secret')),
    );
    await client.query('BEGIN');
    await client.query(ENDPOINTS_SQL, [
      this.#template,
      ids,
      tenants,
      numbers.map((number) => this.#urlOf(`e${number}`)),
      addresses.map(({ type }) => type),
    ]);
    await client.query(SECRETS_SQL, [ids.map(() => newId('sec')), ids, sealed]);
    await client.query('INSERT INTO endpoint_health (endpoint_id) SELECT unnest($1::text[])', [ids]);
    await client.query('COMMIT');
    this.#count += count;
  }

  #urlOf(name: string) {
    return `${this.origin.scheme}://${name}.${DOMAIN}:${this.origin.port}/${name}`;
  }
}

const ENDPOINTS_SQL = `
  WITH given AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS g(id, tenant, url, type, position)
  ), changes AS (
    INSERT INTO configuration_changes (sequence, topic, key)
    SELECT (SELECT max(sequence) FROM configuration_changes) + position, 'endpoints', id FROM given
    RETURNING sequence, id AS change_id, key
  )
  INSERT INTO endpoints
  SELECT (jsonb_populate_record(e, jsonb_build_object(
    'id', g.id, 'tenant', g.tenant, 'url', g.url, 'event_types', ARRAY[g.type], 'version', 1,
    'sequence', c.sequence, 'change_id', c.change_id))).*
  FROM given g JOIN changes c ON c.key = g.id JOIN endpoints e ON e.id = $1`;

const SECRETS_SQL = `
  INSERT INTO endpoint_secrets (id, endpoint_id, sealed)
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`;
