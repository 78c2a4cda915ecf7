import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeAtomically } from './process-file.mjs';

/**
 * Secrets of a local system. Without `secretKeys`, every endpoint's signing secret is lost.
 *
 * @typedef {{ adminApiKey: string, secretKeys: string, postgresPassword: string, configSigningKey: string }} Secrets
 */

/** RFC 8410: DER prefix of the 32 bytes of an ed25519 private key, and length of a public key's prefix. */
const PRIVATE_DER_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_DER_PREFIX_BYTES = 12;

/**
 * Reads the secrets, and creates them at the first start. Variables of the environment take precedence, and are not
 * stored.
 *
 * @param {string} file created readable by its owner only
 * @param {NodeJS.ProcessEnv} env
 * @returns {Secrets}
 */
export function keepSecrets(file, env) {
  if (!existsSync(file)) writeAtomically(file, newSecrets());
  /** @type {Secrets} */
  const kept = JSON.parse(readFileSync(file, 'utf8'));
  // A file of an earlier release has no signing key.
  if (!kept.configSigningKey) writeAtomically(file, { ...kept, configSigningKey: newSigningKey() });
  const { adminApiKey, secretKeys, postgresPassword, configSigningKey } = JSON.parse(readFileSync(file, 'utf8'));
  return {
    adminApiKey: env.ADMIN_API_KEY || adminApiKey,
    secretKeys: env.SECRET_KEYS || secretKeys,
    postgresPassword,
    configSigningKey: env.CONFIG_SIGNING_KEY || configSigningKey,
  };
}

/**
 * The public key of a local system's signing key.
 *
 * @param {string} file
 * @returns {string | undefined} in the form of CONFIG_PUBLIC_KEYS
 */
export function configPublicKey(file) {
  if (!existsSync(file)) return undefined;
  const { configSigningKey } = JSON.parse(readFileSync(file, 'utf8'));
  return configSigningKey ? publicKeyOf(configSigningKey) : undefined;
}

/**
 * @param {string} signingKey `id:base64 of 32 bytes`
 * @returns {string} the public key, in the same form
 */
export function publicKeyOf(signingKey) {
  const [id, text = ''] = signingKey.split(':');
  const der = Buffer.concat([PRIVATE_DER_PREFIX, Buffer.from(text, 'base64')]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicDer = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return `${id}:${publicDer.subarray(PUBLIC_DER_PREFIX_BYTES).toString('base64')}`;
}

/** @returns {Secrets} */
function newSecrets() {
  return {
    adminApiKey: newApiKey(),
    secretKeys: `local:${randomBytes(32).toString('base64')}`,
    postgresPassword: randomBytes(18).toString('base64url'),
    configSigningKey: newSigningKey(),
  };
}

function newSigningKey() {
  return `local:${randomBytes(32).toString('base64')}`;
}

/**
 * Creates an API key in the form of libs/common/src/api-keys/api-key.ts. The code is repeated because this script runs
 * before the build; secrets.spec.ts compares the two.
 *
 * @returns {string} `ph_<id>_<256 random bits>_<checksum>`
 */
export function newApiKey() {
  const unchecked = `ph_${randomBytes(4).toString('hex')}_${randomBytes(32).toString('base64url')}_`;
  return unchecked + crc32(unchecked).toString(16).padStart(8, '0').slice(-6);
}
