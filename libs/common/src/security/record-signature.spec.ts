import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CHANGE_HEADER } from '../records/configuration-change.js';
import { RecordSigner, RecordVerifier, SIGNATURE_HEADER, signingKeyProblem } from './record-signature.js';

const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const signer = new RecordSigner(newKey('a'));
const verifier = new RecordVerifier(signer.publicKey);
const record = { topic: 'api-keys', key: 'k1', value: '{"v":1}', headers: { [CHANGE_HEADER]: '1\n7\nid\n3' } };

describe('a signature of a record', () => {
  it('given a signed record, then it is signed; without the header it is unsigned', async () => {
    expect(await verifier.check(await signer.sign(record))).toBe('signed');
    expect(await verifier.check(record)).toBe('unsigned');
  });

  it('given a signed tombstone, then it is signed, and not as an empty value', async () => {
    const tombstone = await signer.sign({ ...record, value: null });
    expect(await verifier.check(tombstone)).toBe('signed');
    expect(await verifier.check({ ...tombstone, value: '' })).toBe('forged');
    expect(await verifier.check({ ...tombstone, value: 'null' })).toBe('forged');
  });

  it.each([
    { what: 'topic', over: { topic: 'endpoints' } },
    { what: 'key', over: { key: 'k2' } },
    { what: 'missing key', over: { key: null } },
    { what: 'value', over: { value: '{"v":2}' } },
    { what: 'no value', over: { value: null } },
  ])('given a signature of another $what, then it is forged', async ({ over }) => {
    expect(await verifier.check({ ...(await signer.sign(record)), ...over })).toBe('forged');
  });

  it('given another change, or none, then it is forged', async () => {
    const { headers, ...rest } = await signer.sign(record);
    const other = { ...headers, [CHANGE_HEADER]: '1\n7\nid\n4' };
    expect(await verifier.check({ ...rest, headers: other })).toBe('forged');
    const { [CHANGE_HEADER]: _change, ...without } = headers;
    expect(await verifier.check({ ...rest, headers: without })).toBe('forged');
  });

  it('given a key that is not trusted, then it is forged; with its public key added, it is signed', async () => {
    const other = new RecordSigner(newKey('b'));
    const signed = await other.sign(record);
    expect(await verifier.check(signed)).toBe('forged');
    const both = new RecordVerifier(`${signer.publicKey},${other.publicKey}`);
    expect(await both.check(signed)).toBe('signed');
    expect(await both.check(await signer.sign(record))).toBe('signed');
  });

  it('given any header, then checking it never throws', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `1:a:${text}`),
        ),
        async (text) => {
          const forged = { ...record, headers: { ...record.headers, [SIGNATURE_HEADER]: text } };
          expect(await verifier.check(forged)).toBe('forged');
        },
      ),
    );
  });

  it.each(['', 'a', 'a:', `:${randomBytes(32).toString('base64')}`, 'a:AAAA'])(
    'given the key %j, then it says what is wrong',
    (text) => {
      expect(signingKeyProblem(() => new RecordSigner(text))).toContain('CONFIG_SIGNING_KEY');
      expect(signingKeyProblem(() => new RecordVerifier(text))).toContain('CONFIG_PUBLIC_KEYS');
    },
  );
});
