import { gzipSync } from 'node:zlib';
import { type RawAnswer, response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';
import { PostGroup } from './post-group.js';
import { MAX_CAPTURED_BYTES } from './send-result.js';
import type { PostRequest } from './sender.js';

const scene = useSender();
const startServer = scene.server;
const request = postRequest;

const clientOf = (url: string, maxConnections: number) => scene.client(url, { maxConnections });

/** One request, over a single connection, to a server that answers so. */
async function postTo(answer: RawAnswer | string, changes: Partial<PostRequest> = {}) {
  const server = await startServer(answer);
  const client = clientOf(server.url, 1);
  return { server, client, sent: await client.post(request(changes)) };
}

describe('a request', () => {
  it('given headers and a body, then exactly they are posted, with host, length and connection', async () => {
    const body = Buffer.from('{"name":"Zoë"}');
    const { server } = await postTo(response(200), { headers: ['webhook-id', 'evt 1', 'X-Own', 'yes'], body });
    expect(server.requests).toEqual([
      `POST /hook?a=1 HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: keep-alive\r\n` +
        `webhook-id: evt 1\r\nX-Own: yes\r\ncontent-length: ${body.length}\r\n\r\n${body.toString('latin1')}`,
    ]);
  });

  it('given requests one after the other, then they share a connection', async () => {
    const { server, client } = await postTo((socket, index) => socket.write(response(200, `${index}`)));
    expect((await client.post(request())).responseBody.toString()).toBe('1');
    expect(server.sockets).toHaveLength(1);
  });

  it('given more requests than connections, then the rest wait', async () => {
    const server = await startServer((socket) => setImmediate(() => socket.write(response(200))));
    const client = clientOf(server.url, 3);
    const sent = await Promise.all(Array.from({ length: 20 }, () => client.post(request())));
    expect(sent.every(({ statusCode }) => statusCode === 200)).toBe(true);
    expect(server.sockets).toHaveLength(3);
  });

  it('given very many requests, then the connection is replaced in between, and none fails', async () => {
    const server = await startServer((socket) => socket.write(response(200)));
    const client = clientOf(server.url, 1);
    for (let index = 0; index < 1_010; index++) expect((await client.post(request())).statusCode).toBe(200);
    expect([server.requests.length, server.sockets.length]).toEqual([1_010, 2]);
  });

  it('given a header that HTTP does not allow, then it fails and does not throw', async () => {
    const { server, sent } = await postTo(response(200), { headers: ['x-own', 'a\r\nb: c'] });
    expect(sent).toMatchObject({ result: { kind: 'failure', error: 'connection_error' }, errorDetail: 'invalid_arg' });
    expect(server.requests).toEqual([]);
  });
});

describe('a connection', () => {
  it.each(['127.0.0.1', 'localhost'])('given that nobody listens at %s, then it is refused', async (host) => {
    const server = await startServer('');
    const url = server.url.replace('127.0.0.1', host);
    await server.close();
    const sent = await clientOf(url, 1).post(request());
    expect(sent).toMatchObject({
      result: { kind: 'failure', error: 'connection_refused' },
      errorDetail: 'econnrefused',
      isOurFault: false,
    });
  });
});

describe('an answer', () => {
  it.each([200, 204, 299, 300, 400, 404, 410, 500, 599])('given %i, then it is the result', async (status) => {
    const { sent } = await postTo(`HTTP/1.1 ${status} X\r\n${status === 204 ? '' : 'content-length: 0\r\n'}\r\n`);
    expect(sent).toMatchObject({
      result: { kind: 'response', status, retryAfter: undefined },
      statusCode: status,
      errorDetail: undefined,
    });
    expect(sent.durationMs).toBeGreaterThan(0);
  });

  it.each([
    [response(503, '', { 'Retry-After': '7' }), '7'],
    [response(429, '', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }), 'Wed, 21 Oct 2015 07:28:00 GMT'],
    ['HTTP/1.1 503 X\r\nretry-after: 1\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n', '1'],
  ])('given Retry-After, then it is told: %j', async (answer, retryAfter) => {
    expect((await postTo(answer)).sent.result).toMatchObject({ retryAfter });
  });

  it('given chunks, then their bytes are the body', async () => {
    const { sent } = await postTo('HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n');
    expect(sent.responseBody.toString()).toBe('ok');
  });

  it('given bytes that are no text, or compressed, then they are kept as they came', async () => {
    const bytes = gzipSync('\0<script>\u001b[31m'.repeat(50));
    const head = `HTTP/1.1 200 X\r\ncontent-encoding: gzip, gzip\r\ncontent-length: ${bytes.length}\r\n\r\n`;
    const { server, sent } = await postTo((socket) => socket.write(Buffer.concat([Buffer.from(head), bytes])));
    expect(sent.responseBody).toEqual(bytes);
    expect(server.requests[0]).not.toMatch(/accept-encoding/i);
  });

  it('given a body somewhat too long to keep, then its beginning is kept, and the connection too', async () => {
    const { server, client, sent } = await postTo(response(500, 'x'.repeat(20_000)));
    expect(sent.responseBody.toString()).toBe('x'.repeat(MAX_CAPTURED_BYTES));
    await client.post(request());
    expect(server.sockets).toHaveLength(1);
  });

  it('given a body that stalls when enough of it is there, then nobody waits, and the deadline closes the connection', async () => {
    const part = `HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n${'x'.repeat(5_000)}`;
    const { server, sent } = await postTo(part, { timeoutMs: 2_000 });
    expect(sent).toMatchObject({ statusCode: 200, errorDetail: undefined });
    expect(sent.durationMs).toBeLessThan(1_500);
    expect(server.openSockets).toBe(1);
    await until('the connection is closed', () => server.openSockets === 0);
  });
});

describe('the deadline', () => {
  it('given that no connection is free, then waiting counts; the request is never sent and costs no connection', async () => {
    const held: (() => void)[] = [];
    const server = await startServer((socket) => held.push(() => socket.write(response(200))));
    const client = clientOf(server.url, 1);
    const first = client.post(request());
    await until('the first request is there', () => held.length === 1);
    const second = await client.post(request({ timeoutMs: 50 }));
    expect(second).toMatchObject({ result: { kind: 'failure', error: 'timeout' }, errorDetail: 'connect' });
    const third = client.post(request());
    held[0]?.();
    await until('the third request is there', () => held.length === 2);
    held[1]?.();
    expect([(await first).statusCode, (await third).statusCode]).toEqual([200, 200]);
    expect([server.requests.length, server.sockets.length]).toEqual([2, 1]);
  });
});

describe('the group', () => {
  it('given an abort before the status, then the request fails as aborted and its connection is closed', async () => {
    const group = new PostGroup();
    const { server, sent } = await postTo(() => group.abort(), { group });
    expect(sent).toMatchObject({ result: { kind: 'failure', error: 'aborted' }, errorDetail: undefined });
    await until('the connection is closed', () => server.openSockets === 0);
  });

  it('given an abort after the status, then the status counts', async () => {
    const group = new PostGroup();
    const server = await startServer((socket) => socket.write('HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nx'));
    const sending = clientOf(server.url, 1).post(request({ group }));
    await until('the answer was begun', () => server.requests.length === 1);
    setTimeout(() => group.abort(), 50);
    expect(await sending).toMatchObject({ statusCode: 200, errorDetail: 'body_incomplete' });
  });

  it('given an abort before the start, then nothing is sent', async () => {
    const group = new PostGroup();
    group.abort();
    const { server, sent } = await postTo(response(200), { group });
    expect(sent.result).toEqual({ kind: 'failure', error: 'aborted' });
    expect(server.sockets).toEqual([]);
  });

  it('given many requests, then an abort ends them all, and those that are over were kept by nobody', async () => {
    const group = new PostGroup();
    const { client } = await postTo(response(200), { group });
    await Promise.all(Array.from({ length: 30 }, () => client.post(request({ group }))));
    expect(group.size).toBe(0);
    const sending = Promise.all(Array.from({ length: 3 }, () => client.post(request({ group }))));
    group.abort();
    expect((await sending).map(({ result }) => result)).toEqual(Array(3).fill({ kind: 'failure', error: 'aborted' }));
    expect(group.size).toBe(0);
  });
});

describe('close', () => {
  it('given a request under way, then it finishes, and later ones fail', async () => {
    const server = await startServer((socket) => setImmediate(() => socket.write(response(200))));
    const client = clientOf(server.url, 1);
    const sending = client.post(request());
    const closing = client.close();
    expect((await client.post(request())).result).toEqual({ kind: 'failure', error: 'aborted' });
    expect((await sending).statusCode).toBe(200);
    await closing;
  });
});
