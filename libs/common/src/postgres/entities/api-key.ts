import { EntitySchema } from 'typeorm';
import type { ApiScope } from '../../api-keys/api-key.js';

/** An API key as it is stored: its hash, never its text. */
export interface StoredApiKey {
  readonly id: string;
  readonly version: number;
  /** Of its last change; 0 and empty when that was made by an earlier release. */
  readonly sequence: number;
  readonly change_id: string;
  readonly hash: string;
  readonly tenant: string | null;
  readonly scopes: ApiScope[];
  readonly description: string | null;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

export const ApiKeyEntity = new EntitySchema<StoredApiKey>({
  name: 'ApiKey',
  tableName: 'api_keys',
  columns: {
    id: { type: 'text', primary: true },
    version: { type: 'int' },
    sequence: { type: 'bigint' },
    change_id: { type: 'text' },
    hash: { type: 'text' },
    tenant: { type: 'text', nullable: true },
    scopes: { type: 'text', array: true },
    description: { type: 'text', nullable: true },
    created_at: { type: 'timestamptz' },
    expires_at: { type: 'timestamptz', nullable: true },
  },
});
