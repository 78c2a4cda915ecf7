import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeAtomically } from './process-file.mjs';

/**
 * What a local system must keep to itself. Losing `secretKeys` loses every endpoint's signing secret.
 *
 * @typedef {{ adminApiKey: string, secretKeys: string, postgresPassword: string }} Secrets
 */

/**
 * Made once, at the first start; later starts read the same ones. What the environment gives comes first, unkept.
 *
 * @param {string} file readable by its owner only
 * @param {NodeJS.ProcessEnv} env
 * @returns {Secrets}
 */
export function keepSecrets(file, env) {
  if (!existsSync(file)) writeAtomically(file, newSecrets());
  const { adminApiKey, secretKeys, postgresPassword } = /** @type {Secrets} */ (JSON.parse(readFileSync(file, 'utf8')));
  return {
    adminApiKey: env.ADMIN_API_KEY || adminApiKey,
    secretKeys: env.SECRET_KEYS || secretKeys,
    postgresPassword,
  };
}

/** @returns {Secrets} */
function newSecrets() {
  return {
    adminApiKey: newApiKey(),
    secretKeys: `local:${randomBytes(32).toString('base64')}`,
    postgresPassword: randomBytes(18).toString('base64url'),
  };
}

/**
 * The same form as libs/common/src/security/api-key.ts makes; it is repeated here because this runs before anything is
 * built. secrets.spec.ts compares the two.
 *
 * @returns {string} `ph_<id>_<256 random bits>_<checksum>`
 */
export function newApiKey() {
  const unchecked = `ph_${randomBytes(4).toString('hex')}_${randomBytes(32).toString('base64url')}_`;
  return unchecked + crc32(unchecked).toString(16).padStart(8, '0').slice(-6);
}
