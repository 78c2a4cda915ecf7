import { type ApiKeyRecord, readApiKey } from '../records/api-key-record.js';
import { type AuthenticatedKey, matchesApiKey, parseApiKey } from './api-key.js';

/** An unknown id is compared with this, so that a guess at ids takes as long as a guess at keys. Matches nothing. */
const DUMMY_HASH = '0'.repeat(64);

/** All API keys, in memory, from the compacted `api-keys` topic: requests are checked while Postgres is away. */
export class ApiKeyTable {
  private readonly keys = new Map<string, ApiKeyRecord>();
  /** Whether the topic was once read to its end. Until then an unknown key may only be one that was not read yet. */
  isComplete = false;

  /**
   * Takes one record of the topic; null removes the key. A repeated older version changes nothing.
   *
   * @throws Error when the value is no record of this key: what was known of the key stays
   */
  apply(id: string, value: Buffer | null): void {
    if (value === null) {
      this.keys.delete(id);
      return;
    }
    const record = readApiKey(id, value);
    const known = this.keys.get(id);
    if (known === undefined || record.version >= known.version) this.keys.set(id, record);
  }

  /** @returns undefined when the key is malformed, unknown, wrong or expired; callers learn no more than that */
  authenticate(text: string, nowMs: number): AuthenticatedKey | undefined {
    const parsed = parseApiKey(text);
    if (parsed === undefined) return undefined;
    const record = this.keys.get(parsed.id);
    const isGenuine = matchesApiKey(text, record?.hash ?? DUMMY_HASH);
    if (record === undefined || !isGenuine) return undefined;
    if (record.expires_at !== null && record.expires_at <= nowMs) return undefined;
    return { id: record.id, tenant: record.tenant, scopes: record.scopes };
  }

  get size(): number {
    return this.keys.size;
  }
}
