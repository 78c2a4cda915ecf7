import { Deletions } from '../collections/deletions.js';
import { type ApiKeyRecord, readApiKey } from '../records/api-key-record.js';
import { MAX_VERSION } from '../records/limits.js';
import { type AuthenticatedKey, matchesApiKey, parseApiKey } from './api-key.js';

/** An unknown id is compared with this, so that a guess at ids takes as long as a guess at keys. Matches nothing. */
const DUMMY_HASH = '0'.repeat(64);

/** Revoked keys that are remembered, so that an older record cannot bring one back. */
const MAX_DELETIONS = 100_000;

/** All API keys, in memory, from the compacted `api-keys` topic: requests are checked while Postgres is away. */
export class ApiKeyTable {
  private readonly keys = new Map<string, ApiKeyRecord>();
  private readonly deletions = new Deletions(MAX_DELETIONS, MAX_VERSION);
  /** Whether control has written all keys into this log, and they were read. Until then an unknown key may be valid. */
  isComplete = false;

  /**
   * Takes one record of the topic; null removes the key. A version older than the known one, or than the key's deletion,
   * changes nothing.
   *
   * @param deletedAt version of a tombstone; undefined for one of an earlier release
   * @throws Error when the value is no record of this key: the known record stays
   */
  apply(id: string, value: Buffer | null, deletedAt?: number): void {
    const known = this.keys.get(id);
    if (value === null) {
      if (known !== undefined && deletedAt !== undefined && deletedAt < known.version) return;
      this.keys.delete(id);
      this.deletions.add(id, deletedAt);
      return;
    }
    const record = readApiKey(id, value);
    if (record.version < (known?.version ?? 0) || this.deletions.covers(id, record.version)) return;
    this.keys.set(id, record);
    this.deletions.remove(id);
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
