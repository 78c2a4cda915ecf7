import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseApiKey } from '#common/api-keys/api-key.js';
import { RecordSigner } from '#common/security/record-signature.js';
import { Sealer } from '#common/security/sealing.js';
import { configPublicKey, keepSecrets, publicKeyOf } from './secrets.mjs';

describe('keepSecrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-secrets-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('given no file, then the apps accept the new secrets, and only the owner can read the file', () => {
    const file = join(folder, 'new.json');

    const { adminApiKey, secretKeys, configSigningKey } = keepSecrets(file, {});

    expect(parseApiKey(adminApiKey)).toBeDefined();
    expect(() => new Sealer(secretKeys)).not.toThrow();
    expect(publicKeyOf(configSigningKey)).toBe(new RecordSigner(configSigningKey).publicKey);
    expect(configPublicKey(file)).toBe(publicKeyOf(configSigningKey));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('given a file, then it stays unchanged', () => {
    const file = join(folder, 'kept.json');
    expect(keepSecrets(file, {})).toEqual(keepSecrets(file, {}));
  });

  it('given a file of an earlier release, then a signing key is added once, and other secrets stay', () => {
    const file = join(folder, 'old.json');
    const old = { adminApiKey: 'ph_old', secretKeys: 'k:old', postgresPassword: 'old' };
    writeFileSync(file, JSON.stringify(old));

    const secrets = keepSecrets(file, {});

    expect(secrets).toMatchObject(old);
    expect(() => new RecordSigner(secrets.configSigningKey)).not.toThrow();
    expect(keepSecrets(file, {})).toEqual(secrets);
  });

  it('given a key in the environment, then it takes precedence', () => {
    const given = { ADMIN_API_KEY: 'ph_given', SECRET_KEYS: 'k:given' };
    expect(keepSecrets(join(folder, 'kept.json'), given)).toMatchObject({
      adminApiKey: 'ph_given',
      secretKeys: 'k:given',
    });
  });
});
