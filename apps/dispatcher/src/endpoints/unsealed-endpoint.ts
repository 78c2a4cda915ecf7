import { type SigningKey, signingKey } from '#common/domain/signature.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { keyIdOf, MissingKeyError, type SealedPurpose, type Sealer, sealingContext } from '#common/security/sealing.js';

/** An endpoint with its secrets opened, ready to send to. */
export interface Endpoint {
  readonly record: EndpointRecord;
  /** Newest first. `expiresAt` in ms since the epoch. */
  readonly keys: readonly { readonly key: SigningKey; readonly expiresAt: number | undefined }[];
  readonly staticHeaders: Readonly<Record<string, string>>;
  /** Ids of the keys that are missing here. With a missing key nothing may be sent: signatures would be missing. */
  readonly missingKeys: readonly string[];
}

/** An endpoint, and the ids of the keys that opened its secrets. */
export interface Unsealed {
  readonly endpoint: Endpoint;
  readonly opened: readonly string[];
}

const NO_HEADERS = Buffer.from('{}');

/**
 * Opens the sealed secrets and headers of an endpoint's record. Expired secrets are left out: their keys may be gone.
 *
 * @param nowMs ms since the epoch
 * @throws SealingError when a sealed text is malformed
 */
export function unsealed(record: EndpointRecord, sealer: Sealer, nowMs: number): Unsealed {
  const opened = new Set<string>();
  const missing = new Set<string>();
  const open = (sealed: string, purpose: SealedPurpose) => {
    try {
      const plain = sealer.open(sealed, sealingContext(record.tenant, record.id, purpose));
      opened.add(keyIdOf(sealed) ?? '');
      return plain;
    } catch (error) {
      if (!(error instanceof MissingKeyError)) throw error;
      missing.add(error.keyId);
      return undefined;
    }
  };
  const keys = record.secrets.flatMap(({ sealed, expires_at }) => {
    if (expires_at !== null && expires_at <= nowMs) return [];
    const plain = open(sealed, 'secret');
    return plain === undefined ? [] : [{ key: signingKey(plain), expiresAt: expires_at ?? undefined }];
  });
  const headers = record.headers_sealed === null ? NO_HEADERS : (open(record.headers_sealed, 'headers') ?? NO_HEADERS);
  const staticHeaders = JSON.parse(headers.toString()) as Record<string, string>;
  return { endpoint: { record, keys, staticHeaders, missingKeys: [...missing] }, opened: [...opened] };
}
