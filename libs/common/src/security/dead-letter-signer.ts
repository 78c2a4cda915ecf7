import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { parseSecretKeys } from './sealing.js';

const VERSION = 'v1';
/** Separates these keys from those that seal, which are made from the same entries of `SECRET_KEYS`. */
const LABEL = 'posthorn dead letter v1';
const MAC_KEY_BYTES = 32;
const LENGTH_BYTES = 4;

/** What a MAC covers: where a dead letter goes, what it brings, and whose delivery it is. */
export interface SignedParts {
  /** The record's key: the lane. */
  readonly key: Buffer | string;
  readonly value: Buffer;
  /** The packed header of the delivery. */
  readonly packed: Buffer | string;
}

/** `unknown_key`: `SECRET_KEYS` does not name the key. `wrong`: anything else that is not the MAC of these parts. */
export type MacVerdict = 'valid' | 'unknown_key' | 'wrong';

/**
 * Signs dead letters and verifies replays. A record that claims to be a dead letter names its own endpoint, tenant and
 * bytes; the MAC proves that they were a delivery of this system. Its text form is `v1:<key id>:<HMAC-SHA256>`, the last
 * in base64url. MAC keys are derived from the entries of `SECRET_KEYS` by HKDF-SHA256: the first one signs, all verify.
 */
export class DeadLetterSigner {
  private readonly keys: ReadonlyMap<string, Buffer>;
  private readonly currentId: string;

  /** @throws SealingError as `Sealer` does */
  constructor(secretKeys: string) {
    const { keys, firstId } = parseSecretKeys(secretKeys);
    const derived = [...keys].map(([id, key]) => [id, Buffer.from(hkdfSync('sha256', key, '', LABEL, MAC_KEY_BYTES))]);
    this.keys = new Map(derived as [string, Buffer][]);
    this.currentId = firstId;
  }

  sign(parts: SignedParts): string {
    const key = this.keys.get(this.currentId) ?? Buffer.alloc(0);
    return [VERSION, this.currentId, macOf(key, parts).toString('base64url')].join(':');
  }

  verify(parts: SignedParts, mac: Buffer | string): MacVerdict {
    const [version, keyId = '', text = '', ...rest] = mac.toString().split(':');
    if (version !== VERSION || rest.length > 0) return 'wrong';
    const key = this.keys.get(keyId);
    if (key === undefined) return 'unknown_key';
    const given = Buffer.from(text, 'base64url');
    const expected = macOf(key, parts);
    return given.length === expected.length && timingSafeEqual(given, expected) ? 'valid' : 'wrong';
  }
}

/** @returns the id of the key a MAC was made with, for people; undefined when it is malformed */
export function macKeyId(mac: Buffer | string): string | undefined {
  const [version, keyId] = mac.toString().split(':');
  return version === VERSION && keyId ? keyId : undefined;
}

/** The key's length goes first and the digest has a fixed one, so no two sets of parts give the same bytes. */
function macOf(macKey: Buffer, { key, value, packed }: SignedParts): Buffer {
  const keyBytes = Buffer.from(key);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(keyBytes.length);
  const digest = createHash('sha256').update(value).digest();
  return createHmac('sha256', macKey).update(length).update(keyBytes).update(digest).update(packed).digest();
}
