import { getEventListeners } from 'node:events';
import { gzipSync } from 'node:zlib';
import { type RawAnswer, RawServer, response } from '../../../../test/support/raw-server.js';
import { until } from '../../../../test/support/until.js';
import { addressPolicy } from '../security/address-policy.js';
import { EndpointClient, type PostRequest } from './endpoint-client.js';
import { MAX_CAPTURED_BYTES } from './send-result.js';

const LOOPBACK = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8'] });
const FOREVER_MS = 10_000;

const open: { close(): Promise<void> }[] = [];

async function startServer(answer: RawAnswer): Promise<RawServer> {
  const server = await RawServer.start(answer);
  open.unshift(server);
  return server;
}

function clientOf(url: string, maxConnections: number): EndpointClient {
  const client = new EndpointClient({ url, maxConnections, policy: LOOPBACK });
  open.push(client);
  return client;
}

function request(changes: Partial<PostRequest> = {}): PostRequest {
  return { headers: ['content-type', 'application/json'], body: Buffer.from('{}'), timeoutMs: FOREVER_MS, ...changes };
}

/** One request, over a single connection, to a server that answers so. */
async function postTo(answer: RawAnswer | string, changes: Partial<PostRequest> = {}) {
  const server = await startServer(typeof answer === 'string' ? (socket) => socket.write(answer) : answer);
  const client = clientOf(server.url, 1);
  return { server, client, sent: await client.post(request(changes)) };
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

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

  it.each([301, 302, 303, 307, 308])('given a %i, then it is not followed', async (status) => {
    const target = await startServer((socket) => socket.write(response(200)));
    const { server, sent } = await postTo(response(status, '', { location: target.url }));
    expect(sent.statusCode).toBe(status);
    expect([server.requests.length, target.sockets.length]).toEqual([1, 0]);
  });

  it.each([
    { given: 'HTTP/1.0', answer: 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', body: 'ok' },
    { given: '103 before it', answer: `HTTP/1.1 103 X\r\nlink: </a>\r\n\r\n${response(200, 'ok')}`, body: 'ok' },
    { given: 'chunks', answer: 'HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', body: 'ok' },
    { given: 'a 204 with a body', answer: 'HTTP/1.1 204 X\r\ncontent-length: 2\r\n\r\nok', body: '' },
  ])('given $given, then it is understood', async ({ answer, body }) => {
    const { sent } = await postTo(answer);
    expect(sent.result).toMatchObject({ kind: 'response' });
    expect(sent.responseBody.toString()).toBe(body);
  });

  it('given no length, then the end of the connection ends it', async () => {
    const { sent } = await postTo((socket) => socket.end('HTTP/1.1 200 X\r\n\r\nok'));
    expect(sent).toMatchObject({ statusCode: 200, errorDetail: undefined });
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

  it('given a body of a gigabyte, then reading stops, and memory stays flat', async () => {
    const chunk = Buffer.alloc(1_048_576);
    let written = 0;
    const pour: RawAnswer = (socket) => {
      socket.write('HTTP/1.1 200 X\r\ncontent-length: 1073741824\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(chunk)) written += chunk.length;
      };
      socket.on('drain', more);
      more();
    };
    const rssBefore = process.memoryUsage.rss();
    const { server, sent } = await postTo(pour);
    await until('the connection is closed', () => server.openSockets === 0);
    expect(sent).toMatchObject({ statusCode: 200, errorDetail: undefined });
    expect(sent.responseBody).toHaveLength(MAX_CAPTURED_BYTES);
    expect(written).toBeLessThan(64 * 1_048_576);
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(64 * 1_048_576);
  });
});

describe('the deadline', () => {
  const timeoutMs = 300;
  const drip =
    (text: string): RawAnswer =>
    (socket) => {
      let at = 0;
      const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 20);
      socket.on('close', () => clearInterval(timer));
    };

  it.each([
    { given: 'no answer', answer: () => undefined },
    { given: 'a head that drips', answer: drip('HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy') },
    { given: 'a 103 and then nothing', answer: (socket) => socket.write('HTTP/1.1 103 X\r\n\r\n') },
  ] satisfies { given: string; answer: RawAnswer }[])('given $given, then it is a timeout', async ({ answer }) => {
    const { server, sent } = await postTo(answer, { timeoutMs });
    expect(sent).toMatchObject({ result: { kind: 'failure', error: 'timeout' }, errorDetail: 'response' });
    expect(sent.durationMs).toBeGreaterThanOrEqual(timeoutMs - 2);
    expect(sent.durationMs).toBeLessThan(timeoutMs + 1_500);
    await until('the connection is closed', () => server.openSockets === 0);
  });

  it('given a body that drips, then the status counts and the connection is closed', async () => {
    const answer: RawAnswer = (socket, index) => {
      socket.write('HTTP/1.1 201 X\r\ntransfer-encoding: chunked\r\n\r\n');
      drip('1\r\nx\r\n')(socket, index);
    };
    const { server, sent } = await postTo(answer, { timeoutMs });
    expect(sent).toMatchObject({ statusCode: 201, errorDetail: 'body_incomplete' });
    expect(sent.responseBody.toString()).toMatch(/^x+$/);
    expect(sent.durationMs).toBeLessThan(timeoutMs + 1_500);
    await until('the connection is closed', () => server.openSockets === 0);
  });

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

describe('the signal', () => {
  it('given an abort before the status, then the request fails as aborted and its connection is closed', async () => {
    const controller = new AbortController();
    const { server, sent } = await postTo(() => controller.abort(), { signal: controller.signal });
    expect(sent).toMatchObject({ result: { kind: 'failure', error: 'aborted' }, errorDetail: undefined });
    await until('the connection is closed', () => server.openSockets === 0);
  });

  it('given an abort after the status, then the status counts', async () => {
    const controller = new AbortController();
    const server = await startServer((socket) => socket.write('HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nx'));
    const sending = clientOf(server.url, 1).post(request({ signal: controller.signal }));
    await until('the answer was begun', () => server.requests.length === 1);
    setTimeout(() => controller.abort(), 50);
    expect(await sending).toMatchObject({ statusCode: 200, errorDetail: 'body_incomplete' });
  });

  it('given an abort before the start, then nothing is sent', async () => {
    const { server, sent } = await postTo(response(200), { signal: AbortSignal.abort() });
    expect(sent.result).toEqual({ kind: 'failure', error: 'aborted' });
    expect(server.sockets).toEqual([]);
  });

  it('given a signal shared by many requests, then it keeps none of them', async () => {
    const { signal } = new AbortController();
    const { client } = await postTo(response(200), { signal });
    await Promise.all(Array.from({ length: 30 }, () => client.post(request({ signal }))));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
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
