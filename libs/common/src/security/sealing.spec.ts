import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Sealer, SealingError, sealedUnder, sealingContext } from './sealing.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('k1');
const NEW = keyText('k2');
const CONTEXT = sealingContext('acme', 'ep_1', 'secret');

describe('Sealer', () => {
  it('given any bytes and place, then what is sealed opens again, in that place', () => {
    const sealer = new Sealer(OLD);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, context) => {
        const plain = Buffer.from(bytes);
        expect(sealer.open(sealer.seal(plain, context), context)).toEqual(plain);
      }),
    );
  });

  it('given a sealed text, then its key is named without opening it; a malformed text is an error', () => {
    expect(sealedUnder(new Sealer(OLD).seal(Buffer.from('plain'), CONTEXT))).toBe('k1');
    for (const text of ['plain', 'v2:k1:a:b', 'v1:k1:AAAAAAAAAAAAAAAA:AAAA']) {
      expect(() => sealedUnder(text)).toThrow(SealingError);
    }
  });

  it('given any one bit changed, then it does not open', () => {
    const sealer = new Sealer(OLD);
    const sealed = sealer.seal(Buffer.from('attack at dawn'), CONTEXT);
    const [version, id, ...parts] = sealed.split(':');
    fc.assert(
      fc.property(fc.nat(1), fc.nat(), fc.nat(7), (part, position, bit) => {
        const changed = parts.map((text) => Buffer.from(text, 'base64url'));
        const bytes = changed[part] ?? Buffer.alloc(1);
        const at = position % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const text = [version, id, ...changed.map((buffer) => buffer.toString('base64url'))].join(':');
        expect(() => sealer.open(text, CONTEXT)).toThrow(SealingError);
      }),
    );
  });

  it('given the same text twice, then it is sealed differently', () => {
    const sealer = new Sealer(OLD);
    expect(sealer.seal(Buffer.from('x'), CONTEXT)).not.toBe(sealer.seal(Buffer.from('x'), CONTEXT));
  });

  it.each([
    { given: 'another tenant', context: sealingContext('umbrella', 'ep_1', 'secret') },
    { given: 'another endpoint', context: sealingContext('acme', 'ep_2', 'secret') },
    { given: 'another purpose', context: sealingContext('acme', 'ep_1', 'headers') },
  ])('given $given, then it does not open', ({ context }) => {
    const sealer = new Sealer(OLD);
    expect(() => sealer.open(sealer.seal(Buffer.from('x'), CONTEXT), context)).toThrow(/does not open/);
  });

  it('given a new key in front, then the old one still opens and the new one seals', () => {
    const sealed = new Sealer(OLD).seal(Buffer.from('x'), CONTEXT);
    const rotated = new Sealer(`${NEW},${OLD}`);
    expect(rotated.open(sealed, CONTEXT).toString()).toBe('x');
    expect(rotated.seal(Buffer.from('x'), CONTEXT)).toMatch(/^v1:k2:/);
  });

  it('given an unknown key id, then the error names it', () => {
    const sealed = new Sealer(OLD).seal(Buffer.from('x'), CONTEXT);
    expect(() => new Sealer(NEW).open(sealed, CONTEXT)).toThrow('SECRET_KEYS does not name the key "k1"');
  });

  it('given another key under the same id, then it does not open', () => {
    const sealed = new Sealer(OLD).seal(Buffer.from('x'), CONTEXT);
    expect(() => new Sealer(keyText('k1')).open(sealed, CONTEXT)).toThrow(/under key "k1" does not open/);
  });

  it.each(['', 'plain', 'v2:k1:AAAA:AAAA', 'v1:k1:AAAA:AAAA', 'v1:k1'])(
    'given the text "%s", then it is refused',
    (text) => {
      expect(() => new Sealer(OLD).open(text, CONTEXT)).toThrow(SealingError);
    },
  );

  it.each([
    { given: 'nothing', keys: '', message: /entry 1 of SECRET_KEYS/ },
    { given: 'no id', keys: randomBytes(32).toString('base64'), message: /entry 1 of SECRET_KEYS/ },
    {
      given: 'a short key',
      keys: `k1:${randomBytes(16).toString('base64')}`,
      message: /"k1" of SECRET_KEYS has 16 bytes/,
    },
    { given: 'an id twice', keys: `${OLD},${keyText('k1')}`, message: /twice/ },
  ])('given $given as keys, then the start fails', ({ keys, message }) => {
    expect(() => new Sealer(keys)).toThrow(message);
  });
});
