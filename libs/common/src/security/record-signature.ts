import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { RecentSet } from '../collections/recent-set.js';
import { CHANGE_HEADER } from '../records/configuration-change.js';
import { rootOf, treeOf } from './signature-tree.js';

/** Header with the signature of a record of `endpoints` or `api-keys`: `1:<key id>:<64 bytes, base64url>`. */
export const SIGNATURE_HEADER = 'posthorn-signature';

/**
 * Header with the signature of records that were signed together, besides that of the record alone, which earlier releases
 * know: `1:<key id>:<64 bytes, base64url>:<index>:<path, base64url>`. The signature is that of the root of the records' tree.
 */
export const GROUP_SIGNATURE_HEADER = 'posthorn-group-signature';

const FORMAT = '1';
/** Records with one signature: the path of each has six hashes, 256 bytes of the header. */
const SIGNED_TOGETHER = 64;
/** In a smaller group the path costs more than it saves. */
const LEAST_TOGETHER = 4;
/** Signatures of groups that were verified last. The records of a group lie close together in their topic. */
const REMEMBERED_GROUPS = 1_024;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const INDEX_PATTERN = /^\d{1,3}$/;
const KEY_ID_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;
/** RFC 8410: what stands before the 32 bytes of an ed25519 key in DER. */
const PRIVATE_DER_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** In libuv's thread pool: a signature is 100 to 200 µs of CPU, which must not add up in the event loop. */
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

  /** Signs each record, and groups of them: a reader verifies one signature for a whole group. */
  async signAll<R extends SignableRecord>(records: readonly R[]): Promise<R[]> {
    const signed = await Promise.all(records.map((record) => this.sign(record)));
    const groups: R[][] = [];
    for (let from = 0; from < signed.length; from += SIGNED_TOGETHER) {
      groups.push(await this.signGroup(signed.slice(from, from + SIGNED_TOGETHER)));
    }
    return groups.flat();
  }

  private async signGroup<R extends SignableRecord>(records: R[]): Promise<R[]> {
    if (records.length < LEAST_TOGETHER) return records;
    const { root, places } = treeOf(records.map(signedBytes));
    const signature = (await signAsync(null, groupBytes(root), this.key)).toString('base64url');
    return records.map((record, index) => {
      const path = places[index]?.path.toString('base64url');
      const text = [FORMAT, this.id, signature, index, path].join(':');
      return { ...record, headers: { ...record.headers, [GROUP_SIGNATURE_HEADER]: text } };
    });
  }
}

/** Verifies records with the public keys of those that may sign. */
export class RecordVerifier {
  private readonly keys: ReadonlyMap<string, KeyObject>;
  /** Roots of groups with their signatures. */
  private readonly groups = new RecentSet(REMEMBERED_GROUPS);
  private readonly underWay = new Map<string, Promise<boolean>>();

  /**
   * @param publicKeys `id:base64 of the 32 bytes of an ed25519 public key`, comma-separated
   * @throws SigningKeyError
   */
  constructor(publicKeys: string) {
    const entries = publicKeys.split(',').map((entry) => parseKey(entry.trim(), 'CONFIG_PUBLIC_KEYS'));
    this.keys = new Map(entries.map(([id, bytes]) => [id, publicKeyOf(bytes)]));
  }

  async check(record: SignableRecord): Promise<Authenticity> {
    if (await this.isOfSignedGroup(record)) return 'signed';
    const header = record.headers?.[SIGNATURE_HEADER];
    if (header === undefined) return 'unsigned';
    const [format, id = '', text = '', ...rest] = header.toString().split(':');
    const key = this.keys.get(id);
    const signature = Buffer.from(text, 'base64url');
    if (format !== FORMAT || rest.length > 0 || key === undefined) return 'forged';
    if (signature.length !== SIGNATURE_BYTES) return 'forged';
    return (await verifyAsync(null, signedBytes(record), key, signature)) ? 'signed' : 'forged';
  }

  /** Whether the record's place in its group leads to a root that a known key signed. */
  private async isOfSignedGroup(record: SignableRecord): Promise<boolean> {
    const header = record.headers?.[GROUP_SIGNATURE_HEADER];
    if (header === undefined) return false;
    const [format, id = '', text = '', index = '', path = '', ...rest] = header.toString().split(':');
    if (format !== FORMAT || rest.length > 0 || !INDEX_PATTERN.test(index)) return false;
    const place = { index: Number(index), path: Buffer.from(path, 'base64url') };
    const root = rootOf(signedBytes(record), place);
    if (root === undefined) return false;
    const group = [id, text, root.toString('base64url')].join(':');
    if (this.groups.has(group)) return true;
    const key = this.keys.get(id);
    const signature = Buffer.from(text, 'base64url');
    if (key === undefined || signature.length !== SIGNATURE_BYTES) return false;
    return this.underWay.get(group) ?? this.verifyGroup(group, verifyAsync(null, groupBytes(root), key, signature));
  }

  /** Records of one group are checked at the same time: one verification serves them all. */
  private verifyGroup(group: string, verification: Promise<boolean>): Promise<boolean> {
    const verified = verification
      .then((isSigned) => {
        if (isSigned) this.groups.add(group);
        return isSigned;
      })
      .finally(() => this.underWay.delete(group));
    this.underWay.set(group, verified);
    return verified;
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

/** The text differs from that of any single record, so neither signature can stand for the other. */
function groupBytes(root: Buffer): Buffer {
  return Buffer.from(['posthorn-configuration-group', FORMAT, root.toString('hex')].join('\n'));
}

function digest(content: Buffer | string | null): string {
  return content === null ? 'null' : hash('sha256', content, 'hex');
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
