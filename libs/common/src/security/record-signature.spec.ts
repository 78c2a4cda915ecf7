import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CHANGE_HEADER } from '../records/configuration-change.js';
import {
  GROUP_SIGNATURE_HEADER,
  RecordSigner,
  RecordVerifier,
  SIGNATURE_HEADER,
  type SignableRecord,
  signingKeyProblem,
} from './record-signature.js';

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

describe('a signature of a group', () => {
  const records = Array.from({ length: 150 }, (_, index): SignableRecord => ({ ...record, key: `k${index}` }));
  /** Without the signature of the record alone. */
  const groupOnly = ({ headers, ...rest }: SignableRecord): SignableRecord => {
    const { [SIGNATURE_HEADER]: _alone, ...others } = headers ?? {};
    return { ...rest, headers: others };
  };

  it('given records that were signed together, then either signature is enough', async () => {
    const signed = await signer.signAll(records);
    const fresh = new RecordVerifier(signer.publicKey);
    const results = await Promise.all(signed.map((one) => fresh.check(groupOnly(one))));
    expect(new Set(results)).toEqual(new Set(['signed']));
    const { [GROUP_SIGNATURE_HEADER]: _group, ...alone } = signed[0]?.headers ?? {};
    expect(await fresh.check({ ...records[0], topic: 'api-keys', key: 'k0', value: '{"v":1}', headers: alone })).toBe(
      'signed',
    );
  });

  it('given few records, then each has its own signature alone', async () => {
    const signed = await signer.signAll(records.slice(0, 3));
    expect(signed.map(({ headers }) => Object.keys(headers ?? {}).includes(GROUP_SIGNATURE_HEADER))).toEqual([
      false,
      false,
      false,
    ]);
    expect(await Promise.all(signed.map((one) => verifier.check(one)))).toEqual(['signed', 'signed', 'signed']);
  });

  it.each([
    { what: 'topic', over: { topic: 'endpoints' } },
    { what: 'key', over: { key: 'k2' } },
    { what: 'value', over: { value: '{"v":2}' } },
    { what: 'no value', over: { value: null } },
  ])('given a record of a known group with another $what, then it is not signed', async ({ over }) => {
    const [first = record] = await signer.signAll(records);
    expect(await verifier.check(first)).toBe('signed');
    expect(await verifier.check({ ...first, ...over })).toBe('forged');
    expect(await verifier.check({ ...groupOnly(first), ...over })).toBe('unsigned');
  });

  it('given a group of a key that is not trusted, then its records are not signed', async () => {
    const [first = record] = await new RecordSigner(newKey('a')).signAll(records);
    expect(await verifier.check(first)).toBe('forged');
    expect(await verifier.check(groupOnly(first))).toBe('unsigned');
  });

  it('given the signature of a record as that of its group, then it is not signed', async () => {
    const signed = await signer.sign<SignableRecord>(record);
    const text = `${signed.headers?.[SIGNATURE_HEADER]}:0:`;
    expect(await verifier.check({ ...record, headers: { [GROUP_SIGNATURE_HEADER]: text } })).toBe('unsigned');
  });

  it('given a group header that proves nothing beside a good signature, then the record is signed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (text, path) => {
        const { headers, ...rest } = await signer.sign(record);
        for (const group of [text, `1:a:${text}:0:${path}`, `1:a:${text}:${path}:`]) {
          const both = { ...rest, headers: { ...headers, [GROUP_SIGNATURE_HEADER]: group } };
          expect(await verifier.check(both)).toBe('signed');
        }
      }),
    );
  });
});
