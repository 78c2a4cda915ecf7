import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** The nonce length GCM is specified for; random ones are safe for far more secrets than endpoints can have. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = 'v1';
const KEY_ID_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;

/** What an endpoint keeps sealed. */
export type SealedPurpose = 'secret' | 'headers';

/**
 * Binds a sealed text to its place: one that is copied to another tenant, endpoint or field does not open. None of the
 * parts can contain the separator.
 */
export function sealingContext(tenant: string, endpointId: string, purpose: SealedPurpose): string {
  return `${tenant}|${endpointId}|${purpose}`;
}

/** A sealed text cannot be opened, or the keys themselves are unusable. Never carries plain text or key bytes. */
export class SealingError extends Error {}

/** `SECRET_KEYS` does not have the key a text was sealed under. The text is well-formed: it opens once the key is there. */
export class MissingKeyError extends SealingError {
  constructor(
    readonly keyId: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Seals small secrets with AES-256-GCM. The text form is `v1:<key id>:<nonce>:<ciphertext and tag>`, the last two in
 * base64url. A key is rotated by putting a new one in front: it seals, and the old one still opens.
 */
export class Sealer {
  /** Key objects are made once: a cipher that gets bytes makes one each time, which takes four times as long as to open a secret. */
  private readonly keys: ReadonlyMap<string, KeyObject>;
  private readonly currentId: string;

  /**
   * @param secretKeys `id:base64 of 32 bytes`, comma-separated; the first one seals, all of them open
   * @throws SealingError naming the entry that is wrong, never its bytes
   */
  constructor(secretKeys: string) {
    const { keys, firstId } = parseSecretKeys(secretKeys);
    this.keys = new Map([...keys].map(([id, bytes]) => [id, createSecretKey(bytes)]));
    this.currentId = firstId;
  }

  /** Id of the key that seals. */
  get sealsUnder(): string {
    return this.currentId;
  }

  has(keyId: string): boolean {
    return this.keys.has(keyId);
  }

  /** @param context see {@link sealingContext}; the same is needed to open */
  seal(plain: Buffer, context: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.key(this.currentId), nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return [VERSION, this.currentId, nonce.toString('base64url'), sealed.toString('base64url')].join(':');
  }

  /**
   * @throws MissingKeyError when the key is unknown, or key or context are not those the text was sealed with
   * @throws SealingError when the text is malformed
   */
  open(text: string, context: string): Buffer {
    const { keyId, nonce, sealed } = parseSealed(text);
    const decipher = createDecipheriv(CIPHER, this.key(keyId), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
    } catch (error) {
      const message = `a text sealed under key "${keyId}" does not open: another key, or another place`;
      throw new MissingKeyError(keyId, message, { cause: error });
    }
  }

  private key(id: string): KeyObject {
    const key = this.keys.get(id);
    if (key === undefined) throw new MissingKeyError(id, `SECRET_KEYS does not name the key "${id}"`);
    return key;
  }
}

/** @returns the id of the key a text was sealed under; undefined when the text is malformed */
export function keyIdOf(text: string): string | undefined {
  const [version, keyId] = text.split(':');
  return version === VERSION && keyId ? keyId : undefined;
}

/**
 * The id of the key that a well-formed text was sealed under. The text is not opened.
 *
 * @throws SealingError when the text is malformed
 */
export function sealedUnder(text: string): string {
  return parseSealed(text).keyId;
}

/** For checking a configuration before anything starts. @returns what is wrong with these keys, or undefined */
export function sealingKeysProblem(secretKeys: string): string | undefined {
  try {
    new Sealer(secretKeys);
    return undefined;
  } catch (error) {
    if (error instanceof SealingError) return error.message;
    throw error;
  }
}

/** @throws SealingError naming the entry that is wrong, never its bytes */
export function parseSecretKeys(secretKeys: string): { keys: ReadonlyMap<string, Buffer>; firstId: string } {
  const entries = secretKeys.split(',').map((entry, index) => parseKey(entry.trim(), index));
  const [first] = entries;
  if (first === undefined) throw new SealingError('SECRET_KEYS names no key');
  const keys = new Map(entries);
  if (keys.size !== entries.length) throw new SealingError('SECRET_KEYS names a key id twice');
  return { keys, firstId: first[0] };
}

function parseKey(entry: string, index: number): [string, Buffer] {
  const colon = entry.indexOf(':');
  const id = entry.slice(0, Math.max(0, colon));
  if (!KEY_ID_PATTERN.test(id)) {
    throw new SealingError(`entry ${index + 1} of SECRET_KEYS is not \`id:base64\`, id of 1 to 32 letters or digits`);
  }
  const key = Buffer.from(entry.slice(colon + 1), 'base64');
  if (key.length !== KEY_BYTES) {
    throw new SealingError(`key "${id}" of SECRET_KEYS has ${key.length} bytes; it must have ${KEY_BYTES}`);
  }
  return [id, key];
}

function parseSealed(text: string): { keyId: string; nonce: Buffer; sealed: Buffer } {
  const [version, keyId, nonceText, sealedText, ...rest] = text.split(':');
  const nonce = Buffer.from(nonceText ?? '', 'base64url');
  const sealed = Buffer.from(sealedText ?? '', 'base64url');
  const isWhole = nonce.length === NONCE_BYTES && sealed.length >= TAG_BYTES && rest.length === 0;
  if (version !== VERSION || !keyId || !isWhole) throw new SealingError('the text is not a sealed secret of this form');
  return { keyId, nonce, sealed };
}
