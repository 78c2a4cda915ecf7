import { randomBytes } from 'node:crypto';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { RESERVED_HEADERS } from '../domain/header-names.js';
import { formatSecret, signingKey } from '../domain/signature.js';
import { type MessageContent, messageHeaders } from './message.js';

const BODY = Buffer.from('{"id":"evt_1","data":{"name":"Zoë","price":1.10}}');
const KEY = randomBytes(32);
const OLD_KEY = randomBytes(24);

/** Receivers refuse timestamps far from now, so these are real ones. */
function headersOf(changes: Partial<MessageContent> = {}): Record<string, string> {
  const list = messageHeaders({
    eventId: 'evt_1',
    attempt: 2,
    timestampS: Math.floor(Date.now() / 1_000),
    body: BODY,
    keys: [signingKey(KEY)],
    signatureHeader: undefined,
    staticHeaders: {},
    trace: {},
    ...changes,
  });
  const entries = Array.from({ length: list.length / 2 }, (_, index) => list.slice(2 * index, 2 * index + 2));
  expect(new Set(entries.map(([name]) => name?.toLowerCase())).size).toBe(entries.length);
  return Object.fromEntries(entries);
}

describe('messageHeaders', () => {
  it('given an attempt, then its headers name event, attempt and sender', () => {
    expect(headersOf({ timestampS: 1_700_000_000, keys: [] })).toEqual({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^Posthorn\/\d+\.\d+\.\d+$/),
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1700000000',
      'webhook-signature': '',
      'idempotency-key': 'evt_1',
      'webhook-attempt': '2',
    });
  });

  describe.each([
    { library: 'standardwebhooks', verifier: (secret: string) => new StandardWebhook(secret) },
    { library: 'svix', verifier: (secret: string) => new SvixWebhook(secret) },
  ])('checked by $library', ({ verifier }) => {
    it('given the secret as the tenant has it, then the body verifies', () => {
      expect(() => verifier(formatSecret(KEY)).verify(BODY.toString(), headersOf())).not.toThrow();
    });

    it('given two keys during a rotation, then holders of either verify', () => {
      const headers = headersOf({ keys: [signingKey(KEY), signingKey(OLD_KEY)] });
      expect(() => verifier(formatSecret(KEY)).verify(BODY.toString(), headers)).not.toThrow();
      expect(() => verifier(formatSecret(OLD_KEY)).verify(BODY.toString(), headers)).not.toThrow();
    });

    it('given a changed body, another id, another key or an old timestamp, then it does not verify', () => {
      const headers = headersOf();
      const mine = verifier(formatSecret(KEY));
      expect(() => mine.verify(`${BODY.toString()} `, headers)).toThrow();
      expect(() => mine.verify(BODY.toString(), { ...headers, 'webhook-id': 'evt_2' })).toThrow();
      expect(() => verifier(formatSecret(OLD_KEY)).verify(BODY.toString(), headers)).toThrow();
      expect(() => mine.verify(BODY.toString(), headersOf({ timestampS: 1_700_000_000 }))).toThrow();
    });
  });

  describe('checked by stripe', () => {
    const { webhooks } = new Stripe('sk_unused');
    const signed = (keys: Buffer[]) =>
      headersOf({ keys: keys.map(signingKey), signatureHeader: 'Acme-Signature' })['Acme-Signature'] ?? '';

    it('given the secret as the tenant has it, then the body verifies', () => {
      const event: unknown = webhooks.constructEvent(BODY, signed([KEY]), formatSecret(KEY));
      expect(event).toMatchObject({ id: 'evt_1' });
    });

    it('given two keys during a rotation, then holders of either verify', () => {
      const header = signed([KEY, OLD_KEY]);
      expect(() => webhooks.constructEvent(BODY, header, formatSecret(KEY))).not.toThrow();
      expect(() => webhooks.constructEvent(BODY, header, formatSecret(OLD_KEY))).not.toThrow();
    });

    it('given another key or body, then it does not verify', () => {
      expect(() => webhooks.constructEvent(BODY, signed([KEY]), formatSecret(OLD_KEY))).toThrow();
      expect(() => webhooks.constructEvent('{}', signed([KEY]), formatSecret(KEY))).toThrow();
    });
  });

  it('given static headers, then they are sent, but never in place of ours', () => {
    const reserved = [...RESERVED_HEADERS].map((name) => [name.toUpperCase(), 'forged'] as const);
    const headers = headersOf({
      signatureHeader: 'Acme-Signature',
      staticHeaders: { ...Object.fromEntries(reserved), 'acme-signature': 'forged', Authorization: 'Bearer x' },
    });
    expect(Object.values(headers)).not.toContain('forged');
    expect(headers.Authorization).toBe('Bearer x');
  });

  it("given the producer's trace, then it is sent on", () => {
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' };
    expect(headersOf({ trace })).toMatchObject(trace);
  });
});
