import { createHmac } from 'node:crypto';

/** Raw signing key, 24 to 64 bytes. Several may be valid at once while a secret is rotated. */
export type SigningKey = Buffer;

export const SECRET_PREFIX = 'whsec_';

/**
 * `webhook-signature` of Standard Webhooks: one `v1,<base64>` per valid key, newest first, space-separated.
 *
 * @param timestampS seconds since the epoch, as sent in `webhook-timestamp`
 * @see https://www.standardwebhooks.com
 */
export function standardSignature(keys: readonly SigningKey[], id: string, timestampS: number, body: Buffer): string {
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.`).update(body).digest('base64')}`)
    .join(' ');
}

/**
 * `t=<seconds>,v1=<hex>`, one `v1` per valid key, over `timestamp.body`, as Stripe's libraries check it. The HMAC key is
 * the secret's whole text, `whsec_` included, because those libraries use the secret as it is written.
 */
export function timestampedSignature(keys: readonly SigningKey[], timestampS: number, body: Buffer): string {
  const signatures = keys.map((key) =>
    createHmac('sha256', formatSecret(key)).update(`${timestampS}.`).update(body).digest('hex'),
  );
  return [`t=${timestampS}`, ...signatures.map((signature) => `v1=${signature}`)].join(',');
}

/** The secret as a tenant sees it: `whsec_` and the key in base64. */
export function formatSecret(key: SigningKey): string {
  return SECRET_PREFIX + key.toString('base64');
}
