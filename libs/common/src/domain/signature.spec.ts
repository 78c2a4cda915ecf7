import { createHmac } from 'node:crypto';
import { SIGNATURES } from '../../../../packages/test-vectors/src/signatures.js';
import { formatSecret, SECRET_PREFIX, signingKey, standardSignature, timestampedSignature } from './signature.js';

describe('packages/test-vectors/signatures.json', () => {
  it.each(SIGNATURES)(
    '$description',
    ({ secrets, id, timestamp_s: timestampS, body_base64, standard, timestamped }) => {
      const keys = secrets.map((secret) => signingKey(Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')));
      const body = Buffer.from(body_base64, 'base64');
      expect(standardSignature(keys, id, timestampS, body)).toBe(standard);
      expect(timestampedSignature(keys, timestampS, body)).toBe(timestamped);
    },
  );
});

/** The example of the Standard Webhooks specification. */
const EXAMPLE = {
  key: Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'),
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestampS: 1_614_265_330,
  body: Buffer.from('{"test": 2432232314}'),
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const OTHER_KEY = signingKey(Buffer.alloc(24, 7));

describe('standardSignature', () => {
  const { key, id, timestampS, body, signature } = EXAMPLE;

  it('given the example of the specification, then it is what the specification says', () => {
    expect(standardSignature([signingKey(key)], id, timestampS, body)).toBe(signature);
  });

  it('given two keys, then each signs, the newest first', () => {
    const [first, second, ...rest] = standardSignature([OTHER_KEY, signingKey(key)], id, timestampS, body).split(' ');
    expect(first).toBe(standardSignature([OTHER_KEY], id, timestampS, body));
    expect([second, rest]).toEqual([signature, []]);
  });

  it('given bytes that are no text, then they are signed as they are', () => {
    const bytes = Buffer.from([0xff, 0x00, 0xc3]);
    const signed = Buffer.concat([Buffer.from('e.1.'), bytes]);
    const expected = createHmac('sha256', key).update(signed).digest('base64');
    expect(standardSignature([signingKey(key)], 'e', 1, bytes)).toBe(`v1,${expected}`);
  });
});

describe('timestampedSignature', () => {
  const { key, timestampS, body } = EXAMPLE;

  it('given a key, then it is the hex HMAC under the secret as written', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const hex = createHmac('sha256', secret).update(`${timestampS}.${body.toString()}`).digest('hex');
    expect(formatSecret(key)).toBe(secret);
    expect(timestampedSignature([signingKey(key)], timestampS, body)).toBe(`t=${timestampS},v1=${hex}`);
  });

  it('given two keys, then there is a v1 of each', () => {
    expect(timestampedSignature([OTHER_KEY, signingKey(key)], timestampS, body)).toMatch(
      /^t=\d+,v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/,
    );
  });
});
