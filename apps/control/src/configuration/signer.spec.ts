import { randomBytes } from 'node:crypto';
import {
  GROUP_SIGNATURE_HEADER,
  RecordSigner,
  RecordVerifier,
  SIGNATURE_HEADER,
} from '#common/security/record-signature.js';
import { ConfigurationSigner } from './signer.js';

const key = `own:${randomBytes(32).toString('base64')}`;
const records = Array.from({ length: 5 }, (_, index) => ({ topic: 'endpoints', key: `ep_${index}`, value: '{}' }));

describe('ConfigurationSigner', () => {
  it('given records that are written together, then each is signed alone and in their group', async () => {
    const signed = await new ConfigurationSigner({ CONFIG_SIGNING_KEY: key }).sign(records);
    const headers = signed.map((record) => Object.keys(record.headers ?? {}).sort());
    expect(headers).toEqual(records.map(() => [GROUP_SIGNATURE_HEADER, SIGNATURE_HEADER]));
    const verifier = new RecordVerifier(new RecordSigner(key).publicKey);
    expect(await Promise.all(signed.map((record) => verifier.check(record)))).toEqual(records.map(() => 'signed'));
  });

  it('given no key, then the records stay as they are', async () => {
    expect(await new ConfigurationSigner({}).sign(records)).toBe(records);
  });
});
