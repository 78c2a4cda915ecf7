import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { SIGNATURES, type SignatureVector } from './signatures.js';

const bodyOf = ({ body_base64 }: SignatureVector) => Buffer.from(body_base64, 'base64');
/** Vectors with a UTF-8 body: the libraries accept only text. */
const TEXTS = SIGNATURES.filter((vector) => Buffer.from(bodyOf(vector).toString()).equals(bodyOf(vector)));

describe('signatures.json, by foreign libraries', () => {
  it.each(TEXTS)('$description: standardwebhooks makes the same signature', (vector) => {
    const made = vector.secrets.map((secret) =>
      new Webhook(secret).sign(vector.id, new Date(vector.timestamp_s * 1_000), bodyOf(vector).toString()),
    );
    expect(made.join(' ')).toBe(vector.standard);
  });

  it.each(TEXTS)('$description: stripe makes the same signature', (vector) => {
    const made = vector.secrets.map((secret) =>
      Stripe.webhooks
        .generateTestHeaderString({ payload: bodyOf(vector).toString(), secret, timestamp: vector.timestamp_s })
        .replace(/^t=\d+,/, ''),
    );
    expect([`t=${vector.timestamp_s}`, ...made].join(',')).toBe(vector.timestamped);
  });

  it('has a vector with a body that is not UTF-8', () => {
    expect(SIGNATURES.length).toBeGreaterThan(TEXTS.length);
  });
});
