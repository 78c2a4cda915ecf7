import type { StoredApiKey } from '#common/postgres/entities/api-key.js';
import { UNNUMBERED } from '#common/records/configuration-change.js';
import { UNANNOUNCED_NAMES, unknownOptions } from '#common/records/endpoint-option-shapes.js';
import { BREAKER_OPTIONS } from '#common/records/endpoint-options.js';
import { type ApiKeyCopy, apiKeyCopySchema } from '../api-keys/api-key-copy.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { type EndpointCopy, endpointCopySchema } from '../endpoints/endpoint-copy.js';
import type { CopiedRecord } from './topic-copy.js';

/** A row made from a record, and the columns that the record lacks. */
export interface Restored<Row> {
  readonly row: Row;
  readonly unknown: readonly string[];
}

/** Reads an endpoint's record with all it has. @throws when it is malformed */
export function parseEndpointCopy(key: string, text: string, nowMs: number): EndpointCopy {
  const copy = endpointCopySchema.parse(JSON.parse(text));
  if (copy.id !== key) throw new Error('the record is of another endpoint');
  return { ...copy, secrets: copy.secrets.filter(({ expires_at }) => expires_at === null || expires_at > nowMs) };
}

/** Reads an API key's record with all it has. @throws when it is malformed */
export function parseApiKeyCopy(key: string, text: string): ApiKeyCopy {
  const copy = apiKeyCopySchema.parse(JSON.parse(text));
  if (copy.id !== key) throw new Error('the record is of another key');
  return copy;
}

/** @param present the present row: it keeps the columns that a record of an earlier release lacks */
export function endpointOf(
  record: EndpointCopy,
  change: CopiedRecord['change'],
  present: StoredEndpoint | undefined,
): Restored<StoredEndpoint> {
  const { copy, secrets, enabled, breaker, paused, v: _v, ...same } = record;
  const known = copy === undefined ? fallbackOf(record, present) : momentsOf(copy);
  const row: StoredEndpoint = {
    ...same,
    ...known,
    sequence: change?.sequence ?? UNNUMBERED.sequence,
    change_id: change?.id ?? UNNUMBERED.id,
    retry_policy: policyOf(record),
    status: enabled ? 'active' : 'disabled',
    paused_at: paused ? (known.paused_at ?? new Date()) : null,
    breaker_state: breaker,
    secrets: secrets.map((secret) => ({ ...secret, created_at: secret.created_at ?? Date.now() })),
  };
  return { row, unknown: copy === undefined ? LACKING_OF_ENDPOINTS : [] };
}

export function apiKeyOf(
  record: ApiKeyCopy,
  change: CopiedRecord['change'],
  present: StoredApiKey | undefined,
): Restored<StoredApiKey> {
  const { copy, v: _v, expires_at, ...same } = record;
  const row: StoredApiKey = {
    ...same,
    sequence: change?.sequence ?? UNNUMBERED.sequence,
    change_id: change?.id ?? UNNUMBERED.id,
    description: copy ? copy.description : (present?.description ?? null),
    created_at: copy ? new Date(copy.created_at) : (present?.created_at ?? new Date()),
    expires_at: dateOf(expires_at),
  };
  return { row, unknown: copy === undefined ? ['description', 'created_at'] : [] };
}

const LACKING_OF_ENDPOINTS = [
  ...UNANNOUNCED_NAMES.filter((name) => !(name in BREAKER_OPTIONS)),
  'header_names',
  'disabled_reason',
  'disabled_at',
  'paused_at',
  'breaker settings',
  'created_at',
  'updated_at',
  'ages of secrets',
];

type CopyColumns = Pick<StoredEndpoint, keyof NonNullable<EndpointCopy['copy']>>;

function momentsOf(copy: NonNullable<EndpointCopy['copy']>): CopyColumns {
  return {
    ...copy,
    disabled_at: dateOf(copy.disabled_at),
    paused_at: dateOf(copy.paused_at),
    created_at: new Date(copy.created_at),
    updated_at: new Date(copy.updated_at),
  };
}

/** The values of the database, or the defaults of a new endpoint. */
function fallbackOf({ enabled }: EndpointCopy, present: StoredEndpoint | undefined): CopyColumns {
  const now = new Date();
  return {
    ...unknownOptions(present),
    header_names: present?.header_names ?? [],
    disabled_reason: enabled ? null : (present?.disabled_reason ?? 'operator'),
    disabled_at: enabled ? null : (present?.disabled_at ?? now),
    paused_at: present?.paused_at ?? null,
    created_at: present?.created_at ?? now,
    updated_at: present?.updated_at ?? now,
  };
}

function policyOf({
  retry_policy: { capMs, permanentStatuses, ...policy },
}: EndpointCopy): StoredEndpoint['retry_policy'] {
  return { ...policy, ...(capMs === undefined ? {} : { capMs }), permanentStatuses };
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
