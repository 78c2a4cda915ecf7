import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DeadLetterSigner, macKeyId, type SignedParts } from './dead-letter-signer.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('k1');
const NEW = keyText('k2');
const PARTS: SignedParts = { key: 'ep_1:inv-1', value: Buffer.from('{"n":1}'), packed: '1\ndlv_1\nevt_1' };

const parts = () =>
  fc.record({
    key: fc.uint8Array({ maxLength: 20 }).map(Buffer.from),
    value: fc.uint8Array({ maxLength: 20 }).map(Buffer.from),
    packed: fc.uint8Array({ maxLength: 20 }).map(Buffer.from),
  });
const textOf = ({ key, value, packed }: SignedParts) =>
  JSON.stringify([key, value, packed].map((part) => Buffer.from(part).toString('hex')));

describe('DeadLetterSigner', () => {
  it('given any parts, then their MAC is valid for them, and for no others', () => {
    const signer = new DeadLetterSigner(OLD);
    fc.assert(
      fc.property(parts(), parts(), (signed, other) => {
        const mac = signer.sign(signed);
        expect(signer.verify(signed, mac)).toBe('valid');
        if (textOf(signed) !== textOf(other)) expect(signer.verify(other, mac)).toBe('wrong');
      }),
    );
  });

  it('given bytes that move from the key to the packed header, then the MAC is wrong', () => {
    const signer = new DeadLetterSigner(OLD);
    const mac = signer.sign({ ...PARTS, key: 'ab', packed: 'cd' });
    expect(signer.verify({ ...PARTS, key: 'abc', packed: 'd' }, mac)).toBe('wrong');
  });

  it('given the construction as it is documented, then the MAC is the same', () => {
    const [, base64 = ''] = OLD.split(':');
    const macKey = Buffer.from(hkdfSync('sha256', Buffer.from(base64, 'base64'), '', 'posthorn dead letter v1', 32));
    const bytes = Buffer.concat([
      Buffer.from([0, 0, 0, 10]),
      Buffer.from('ep_1:inv-1'),
      createHash('sha256').update(PARTS.value).digest(),
      Buffer.from(PARTS.packed),
    ]);
    const expected = `v1:k1:${createHmac('sha256', macKey).update(bytes).digest('base64url')}`;
    expect(new DeadLetterSigner(OLD).sign(PARTS)).toBe(expected);
  });

  it('given a new key in front, then it signs, and MACs of the old one stay valid', () => {
    const mac = new DeadLetterSigner(OLD).sign(PARTS);
    const rotated = new DeadLetterSigner(`${NEW},${OLD}`);
    expect(rotated.verify(PARTS, mac)).toBe('valid');
    expect(macKeyId(rotated.sign(PARTS))).toBe('k2');
  });

  it.each([
    { given: 'a key that is not there', mac: new DeadLetterSigner(NEW).sign(PARTS), verdict: 'unknown_key' },
    { given: 'another key under the same id', mac: new DeadLetterSigner(keyText('k1')).sign(PARTS), verdict: 'wrong' },
    { given: 'no text', mac: '', verdict: 'wrong' },
    { given: 'a cut MAC', mac: new DeadLetterSigner(OLD).sign(PARTS).slice(0, 20), verdict: 'wrong' },
    { given: 'another version', mac: 'v2:k1:AAAA', verdict: 'wrong' },
    { given: 'too many parts', mac: `${new DeadLetterSigner(OLD).sign(PARTS)}:`, verdict: 'wrong' },
    { given: '__proto__ as the key id', mac: 'v1:__proto__:AAAA', verdict: 'unknown_key' },
  ])('given $given, then the verdict is $verdict', ({ mac, verdict }) => {
    expect(new DeadLetterSigner(OLD).verify(PARTS, mac)).toBe(verdict);
  });
});
