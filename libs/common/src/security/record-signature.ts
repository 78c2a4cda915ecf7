import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { CHANGE_HEADER } from '../records/configuration-change.js';

/** Header with the signature of a record of `endpoints` or `api-keys`: `1:<key id>:<64 bytes, base64url>`. */
export const SIGNATURE_HEADER = 'posthorn-signature';

const FORMAT = '1';
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const KEY_ID_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;
/** RFC 8410: what stands before the 32 bytes of an ed25519 key in DER. */
const PRIVATE_DER_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** In libuv's thread pool: a signature is about 100 µs of CPU, which must not add up in the event loop. */
const signAsync = promisify(sign);
const verifyAsync = promisify(verify);

/** A key of `CONFIG_SIGNING_KEY` or `CONFIG_PUBLIC_KEYS` is unusable. Never carries key bytes. */
export class SigningKeyError extends Error {}

/** What a signature covers. */
export interface SignableRecord {
  /** Without prefix. */
  readonly topic: string;
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, Buffer | string>>;
}

/**
 * The authenticity of a record by its signatures. `forged`: it has a signature that no known key made for this record.
 */
export type Authenticity = 'signed' | 'unsigned' | 'forged';

/** Signs records with control's private key. */
export class RecordSigner {
  private readonly id: string;
  private readonly key: KeyObject;

  /**
   * @param signingKey `id:base64 of the 32 bytes of an ed25519 private key`
   * @throws SigningKeyError
   */
  constructor(signingKey: string) {
    const [id, bytes] = parseKey(signingKey, 'CONFIG_SIGNING_KEY');
    this.id = id;
    this.key = createPrivateKey({ key: Buffer.concat([PRIVATE_DER_PREFIX, bytes]), format: 'der', type: 'pkcs8' });
  }

  /** In the form of `CONFIG_PUBLIC_KEYS`. */
  get publicKey(): string {
    const der = createPublicKey(this.key).export({ format: 'der', type: 'spki' });
    return `${this.id}:${der.subarray(PUBLIC_DER_PREFIX.length).toString('base64')}`;
  }

  /** @returns the record with its signature among the headers */
  async sign<R extends SignableRecord>(record: R): Promise<R> {
    const signature = await signAsync(null, signedBytes(record), this.key);
    const text = [FORMAT, this.id, signature.toString('base64url')].join(':');
    return { ...record, headers: { ...record.headers, [SIGNATURE_HEADER]: text } };
  }
}

/** Verifies records with the public keys of those that may sign. */
export class RecordVerifier {
  private readonly keys: ReadonlyMap<string, KeyObject>;

  /**
   * @param publicKeys `id:base64 of the 32 bytes of an ed25519 public key`, comma-separated
   * @throws SigningKeyError
   */
  constructor(publicKeys: string) {
    const entries = publicKeys.split(',').map((entry) => parseKey(entry.trim(), 'CONFIG_PUBLIC_KEYS'));
    this.keys = new Map(entries.map(([id, bytes]) => [id, publicKeyOf(bytes)]));
  }

  async check(record: SignableRecord): Promise<Authenticity> {
    const header = record.headers?.[SIGNATURE_HEADER];
    if (header === undefined) return 'unsigned';
    const [format, id = '', text = '', ...rest] = header.toString().split(':');
    const key = this.keys.get(id);
    const signature = Buffer.from(text, 'base64url');
    if (format !== FORMAT || rest.length > 0 || key === undefined) return 'forged';
    if (signature.length !== SIGNATURE_BYTES) return 'forged';
    return (await verifyAsync(null, signedBytes(record), key, signature)) ? 'signed' : 'forged';
  }
}

/** For checking a configuration before anything starts. @returns what is wrong with these keys, or undefined */
export function signingKeyProblem(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof SigningKeyError) return error.message;
    throw error;
  }
}

/** Topic, key, value and the header of the change, each unambiguous: a signature fits no other record. */
function signedBytes({ topic, key, value, headers }: SignableRecord): Buffer {
  const change = headers?.[CHANGE_HEADER]?.toString() ?? '';
  return Buffer.from(['posthorn-configuration', FORMAT, topic, digest(key), digest(value), change].join('\n'));
}

function digest(content: Buffer | string | null): string {
  return content === null ? 'null' : createHash('sha256').update(content).digest('hex');
}

function publicKeyOf(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_DER_PREFIX, bytes]), format: 'der', type: 'spki' });
}

function parseKey(entry: string, variable: string): [string, Buffer] {
  const colon = entry.indexOf(':');
  const id = entry.slice(0, Math.max(0, colon));
  if (!KEY_ID_PATTERN.test(id)) {
    throw new SigningKeyError(`${variable} is not \`id:base64\`, id of 1 to 32 letters or digits`);
  }
  const bytes = Buffer.from(entry.slice(colon + 1), 'base64');
  if (bytes.length === KEY_BYTES) return [id, bytes];
  throw new SigningKeyError(`key "${id}" of ${variable} has ${bytes.length} bytes; it must have ${KEY_BYTES}`);
}
