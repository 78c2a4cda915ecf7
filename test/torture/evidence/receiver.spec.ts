import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { until } from '../../support/until.js';
import { readReceiverLog, TortureReceiver } from './receiver.js';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const ENDPOINTS = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((hook) => [hook, `ep_${hook}`]));

describe('the receiver of torture runs', () => {
  let receiver: TortureReceiver;
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'posthorn-receiver-'));
    receiver = TortureReceiver.start(join(folder, 'log.jsonl'));
  });
  afterAll(async () => {
    await receiver.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function post(
    url: string,
    eventId: string,
    { secret = SECRET, attempt = 1, signal = AbortSignal.timeout(5_000) } = {},
  ) {
    const body = JSON.stringify({ id: eventId, resource_id: 'r', sequence: 3 });
    const at = new Date();
    const headers = {
      'webhook-id': eventId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(secret).sign(eventId, at, body),
      'webhook-attempt': String(attempt),
    };
    return fetch(url, { method: 'POST', headers, body, signal });
  }

  const seen = async (eventId: string) =>
    (await receiver.requests(ENDPOINTS)).filter((request) => request.eventId === eventId);

  it('given a healthy hook, then it answers 200, and the log has request, signature check and response', async () => {
    const url = await receiver.open('a');
    await receiver.trust('a', SECRET);
    expect((await post(url, 'one', { attempt: 2 })).status).toBe(200);
    await post(url, 'two', { secret: `whsec_${Buffer.alloc(24, 8).toString('base64')}` });

    expect(await seen('one')).toEqual([
      expect.objectContaining({
        endpointId: 'ep_a',
        webhookId: 'one',
        resourceId: 'r',
        sequence: 3,
        attempt: 2,
        status: 200,
        isSigned: true,
        isCut: false,
      }),
    ]);
    expect(await seen('two')).toEqual([expect.objectContaining({ isSigned: false })]);
    expect((await receiver.count()).a).toEqual({ requests: 2, accepted: 2, open: 0 });
  });

  it('given a hook that fails half, then the same attempts fail on each repeat', async () => {
    const url = await receiver.open('b', { kind: 'failing', rate: 0.5, seed: 1 });
    const statuses = async () => {
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => post(url, `fail-${index}`)));
      return answers.map(({ status }) => status);
    };
    const first = await statuses();

    expect(new Set(first)).toEqual(new Set([200, 500]));
    expect(await statuses()).toEqual(first);
  });

  it('given a hook that hangs, when the sender closes the connection, then the request is logged as cut', async () => {
    const url = await receiver.open('c', { kind: 'hang' });
    const sender = new AbortController();
    const answer = post(url, 'hung', { signal: sender.signal }).catch(() => 'broken off');
    await until('it is there', async () => (await receiver.count()).c?.open === 1);
    sender.abort();

    expect(await answer).toBe('broken off');
    await until('it is cut', async () => (await receiver.count()).c?.open === 0);
    expect(await seen('hung')).toEqual([expect.objectContaining({ status: undefined, isCut: true })]);
  });

  it('given a hook that goes down and comes back, then connections are refused while it is down, and its URL stays', async () => {
    const url = await receiver.open('d');
    await receiver.behave('d', { kind: 'down' });
    await expect(post(url, 'refused')).rejects.toThrow();
    await receiver.behave('d', { kind: 'status', status: 410 });

    expect((await post(url, 'gone')).status).toBe(410);
  });

  it('given a hook that flaps, then failures and successes alternate', async () => {
    const url = await receiver.open('e', { kind: 'flapping', failures: 2, successes: 1 });
    const statuses = [];
    for (let index = 0; index < 6; index++) statuses.push((await post(url, `flap-${index}`)).status);

    expect(statuses).toEqual([500, 500, 200, 500, 500, 200]);
  });

  it('given a hook that loses its answers, then it accepts requests without a response', async () => {
    const url = await receiver.open('f', { kind: 'lost_answer', rate: 1, seed: 1 });
    await expect(post(url, 'lost')).rejects.toThrow();

    expect(await seen('lost')).toEqual([expect.objectContaining({ status: 200, isCut: true })]);
  });

  it('given an invalid command, then the reply has an error', async () => {
    await expect(receiver.behave('nobody', { kind: 'healthy' })).rejects.toThrow('there is no hook nobody');
  });
});

it('given a log of a hook without an endpoint, then reading throws', () => {
  const line = { kind: 'arrived', n: 1, at: 0, hook: 'x', webhook_id: '', attempt: 1, signed: true };
  expect(() => readReceiverLog(JSON.stringify(line), ENDPOINTS)).toThrow('x');
});
