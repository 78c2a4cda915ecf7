import { type SigningKey, signingKey } from '#common/domain/signature.js';
import {
  keyIdOf,
  MissingKeyError,
  type SealedPurpose,
  type Sealer,
  sealedUnder,
  sealingContext,
} from '#common/security/sealing.js';
import type { DispatchedEndpoint } from './packed-endpoints.js';

/** An endpoint with its secrets opened, ready to send to. */
export interface Endpoint {
  readonly record: DispatchedEndpoint;
  /** Newest first. `expiresAt` in ms since the epoch. */
  readonly keys: readonly { readonly key: SigningKey; readonly expiresAt: number | undefined }[];
  readonly staticHeaders: Readonly<Record<string, string>>;
  /** Ids of the keys that are missing here. With a missing key nothing may be sent: signatures would be missing. */
  readonly missingKeys: readonly string[];
}

/** Ids of the keys that opened texts of an endpoint, and of those that did not. */
export interface KeyUse {
  readonly opened: readonly string[];
  readonly missing: readonly string[];
}

/** An endpoint, and the ids of the keys that opened its secrets. */
export interface Unsealed {
  readonly endpoint: Endpoint;
  readonly opened: readonly string[];
}

/** The sealed parts of a record. */
export type SealedParts = Pick<DispatchedEndpoint, 'id' | 'tenant' | 'secrets' | 'headers_sealed'>;

interface SealedText {
  readonly text: string;
  readonly purpose: SealedPurpose;
}

const NO_HEADERS = {};

/**
 * Opens the sealed secrets and headers of an endpoint's record. Expired secrets are left out: their keys may be gone.
 *
 * @param nowMs ms since the epoch
 * @throws SealingError when a sealed text is malformed
 */
export function unsealed(record: DispatchedEndpoint, sealer: Sealer, nowMs: number): Unsealed {
  const opener = new Opener(record, sealer);
  const keys = validSecrets(record, nowMs).flatMap(({ sealed, expires_at }) => {
    const plain = opener.open({ text: sealed, purpose: 'secret' });
    return plain === undefined ? [] : [{ key: signingKey(plain), expiresAt: expires_at ?? undefined }];
  });
  const staticHeaders = (record.headers_sealed !== null && opener.openHeaders(record.headers_sealed)) || NO_HEADERS;
  const { opened, missing } = opener.use;
  return { endpoint: { record, keys, staticHeaders, missingKeys: missing }, opened };
}

/**
 * Which keys a record needs, without the cost of opening its texts: a key that has opened any text is right, so only texts under
 * other keys are opened. Expired secrets need no key.
 *
 * @param isRight whether the key has opened a text
 * @param nowMs ms since the epoch
 * @throws SealingError when a sealed text is malformed
 */
export function keyUseOf(
  record: SealedParts,
  sealer: Sealer,
  isRight: (keyId: string) => boolean,
  nowMs: number,
): KeyUse {
  const opener = new Opener(record, sealer);
  for (const text of sealedTexts(record, nowMs)) if (!isRight(sealedUnder(text.text))) opener.open(text);
  return opener.use;
}

function sealedTexts(record: SealedParts, nowMs: number): SealedText[] {
  const secrets = validSecrets(record, nowMs).map(({ sealed }) => ({ text: sealed, purpose: 'secret' }) as const);
  const { headers_sealed } = record;
  return headers_sealed === null ? secrets : [...secrets, { text: headers_sealed, purpose: 'headers' }];
}

function validSecrets({ secrets }: SealedParts, nowMs: number): SealedParts['secrets'] {
  return secrets.filter(({ expires_at }) => expires_at === null || expires_at > nowMs);
}

/** Opens texts of one endpoint, and notes the keys. */
class Opener {
  private readonly opened = new Set<string>();
  private readonly missing = new Set<string>();

  constructor(
    private readonly record: SealedParts,
    private readonly sealer: Sealer,
  ) {}

  get use(): KeyUse {
    return { opened: [...this.opened], missing: [...this.missing] };
  }

  /** @returns undefined when the key is missing @throws SealingError when the text is malformed */
  open({ text, purpose }: SealedText): Buffer | undefined {
    try {
      const plain = this.sealer.open(text, sealingContext(this.record.tenant, this.record.id, purpose));
      this.opened.add(keyIdOf(text) ?? '');
      return plain;
    } catch (error) {
      if (!(error instanceof MissingKeyError)) throw error;
      this.missing.add(error.keyId);
      return undefined;
    }
  }

  /** Headers that are not what was sealed count as damaged: their endpoint holds. */
  openHeaders(text: string): Record<string, string> | undefined {
    const plain = this.open({ text, purpose: 'headers' });
    if (plain === undefined) return undefined;
    try {
      return JSON.parse(plain.toString()) as Record<string, string>;
    } catch {
      this.missing.add(sealedUnder(text));
      return undefined;
    }
  }
}
