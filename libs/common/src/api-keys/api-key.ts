import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { API_SCOPES } from '../records/api-key-record.js';

export type ApiScope = (typeof API_SCOPES)[number];

/** The caller of a request, from its key. */
export interface AuthenticatedKey {
  readonly id: string;
  /** The tenant it acts for; null for a key that may name any. */
  readonly tenant: string | null;
  readonly scopes: readonly ApiScope[];
}

/** 32 characters without i, l, o and u, which are misread or spell words. */
const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_LENGTH = 8;
const SECRET_BYTES = 32;

/** The prefix lets secret scanners find a leaked key, and the checksum lets them, and us, drop a mistyped one unseen. */
const API_KEY_PATTERN = /^ph_([0-9a-z]{8})_[A-Za-z0-9_-]{43}_[0-9a-f]{6}$/;
const CHECKSUM_LENGTH = 6;

/** A new key: `ph_<id>_<256 random bits>_<checksum>`. Its text is shown once; only its hash is kept. */
export function generateApiKey(): { id: string; text: string; hash: string } {
  const id = Array.from(randomBytes(ID_LENGTH), (byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('');
  const unchecked = `ph_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}_`;
  const text = unchecked + checksum(unchecked);
  return { id, text, hash: hashApiKey(text) };
}

/** @returns the id within a well-formed key, or undefined when the text is none */
export function parseApiKey(text: string): { id: string } | undefined {
  const id = API_KEY_PATTERN.exec(text)?.[1];
  if (id === undefined) return undefined;
  const unchecked = text.slice(0, -CHECKSUM_LENGTH);
  return text.slice(-CHECKSUM_LENGTH) === checksum(unchecked) ? { id } : undefined;
}

/** SHA-256 of the whole key, hex. A key has 256 random bits, so a slow hash would add nothing. */
export function hashApiKey(text: string): string {
  return hash('sha256', text, 'hex');
}

/** Compares in constant time. */
export function matchesApiKey(text: string, expectedHash: string): boolean {
  const actual = Buffer.from(hashApiKey(text), 'hex');
  const expected = Buffer.from(expectedHash, 'hex');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** An `admin` key may do everything. */
export function hasScope(key: AuthenticatedKey, scope: ApiScope): boolean {
  return key.scopes.includes('admin') || key.scopes.includes(scope);
}

/** Low 24 bits of CRC-32. */
function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0').slice(-CHECKSUM_LENGTH);
}
