import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';

interface Vector {
  readonly description: string;
  readonly secrets: readonly string[];
  readonly id: string;
  readonly timestamp_s: number;
  readonly body_base64: string;
  readonly standard: string;
  readonly timestamped: string;
}

const VECTORS: readonly Vector[] = JSON.parse(readFileSync('packages/test-vectors/signatures.json', 'utf8'));
const bodyOf = ({ body_base64 }: Vector) => Buffer.from(body_base64, 'base64');
/** The libraries take text. A body that is not UTF-8 has no text. */
const TEXTS = VECTORS.filter((vector) => Buffer.from(bodyOf(vector).toString()).equals(bodyOf(vector)));

describe('signatures.json, by libraries that are not ours', () => {
  it.each(TEXTS)('$description: standardwebhooks makes the same', (vector) => {
    const made = vector.secrets.map((secret) =>
      new Webhook(secret).sign(vector.id, new Date(vector.timestamp_s * 1_000), bodyOf(vector).toString()),
    );
    expect(made.join(' ')).toBe(vector.standard);
  });

  it.each(TEXTS)('$description: stripe makes the same', (vector) => {
    const made = vector.secrets.map((secret) =>
      Stripe.webhooks
        .generateTestHeaderString({ payload: bodyOf(vector).toString(), secret, timestamp: vector.timestamp_s })
        .replace(/^t=\d+,/, ''),
    );
    expect([`t=${vector.timestamp_s}`, ...made].join(',')).toBe(vector.timestamped);
  });

  it('has a vector that no text can carry', () => {
    expect(VECTORS.length).toBeGreaterThan(TEXTS.length);
  });
});
