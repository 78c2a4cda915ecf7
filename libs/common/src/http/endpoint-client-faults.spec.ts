import { TestAuthority } from '../../../../test/support/certificates.js';
import { type RawAnswer, RawServer, response } from '../../../../test/support/raw-server.js';
import { addressPolicy } from '../security/address-policy.js';
import { EndpointClient, type PostRequest } from './endpoint-client.js';

const LOOPBACK = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8', '::1/128'] });
const REQUEST: PostRequest = { headers: ['webhook-id', 'evt_1'], body: Buffer.from('{"secret":1}'), timeoutMs: 5_000 };

const open: { close(): Promise<void> }[] = [];

async function startServer(answer: RawAnswer, options: Parameters<typeof RawServer.start>[1] = {}): Promise<RawServer> {
  const server = await RawServer.start(answer, options);
  open.unshift(server);
  return server;
}

function clientOf(url: string, trust: { ca?: string } = {}): EndpointClient {
  const client = new EndpointClient({ url, maxConnections: 1, policy: LOOPBACK, ...trust });
  open.push(client);
  return client;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

describe('a breach of HTTP', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}: yyyyyyyy\r\n`).join('');
  const BREACHES = [
    {
      given: 'a header of 64 KiB',
      answer: `HTTP/1.1 200 X\r\nx: ${'y'.repeat(65_536)}\r\n\r\n`,
      detail: 'headers_overflow',
    },
    { given: '2000 headers', answer: `HTTP/1.1 200 X\r\n${lines(2_000)}\r\n`, detail: 'headers_overflow' },
    { given: 'a NUL in a header', answer: 'HTTP/1.1 200 X\r\nx: a\0b\r\n\r\n', detail: 'invalid_http' },
    {
      given: 'a folded header',
      answer: 'HTTP/1.1 200 X\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n',
      detail: 'invalid_http',
    },
    { given: 'HTTP/0.9', answer: 'hello', detail: 'invalid_http' },
    { given: 'another protocol', answer: 'SSH-2.0-OpenSSH_9.6\r\n', detail: 'invalid_http' },
    {
      given: 'two lengths',
      answer: 'HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
      detail: /mismatch|invalid_http/,
    },
    {
      given: 'an upgrade nobody asked for',
      answer: 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
      detail: 'unasked_upgrade',
    },
    // RFC 9110 would have it ignored; undici refuses it, and nothing we send asks for it.
    { given: 'a 100 nobody asked for', answer: `HTTP/1.1 100 X\r\n\r\n${response(200)}`, detail: 'unasked_response' },
  ];

  it.each(BREACHES)('given $given, then it is a bad response, and its connection is not used again', async (breach) => {
    const server = await startServer((socket, index) => socket.write(index === 0 ? breach.answer : response(200)));
    const client = clientOf(server.url);
    const sent = await client.post(REQUEST);
    expect(sent).toMatchObject({ result: { kind: 'failure', error: 'bad_response' }, statusCode: undefined });
    expect(sent.errorDetail).toMatch(breach.detail);
    expect((await client.post(REQUEST)).statusCode).toBe(200);
    expect([server.requests.length, server.sockets.length]).toEqual([2, 2]);
  });

  it('given two answers to one request, then the second is not taken for the next request', async () => {
    const server = await startServer((socket, index) =>
      socket.write(index === 0 ? response(200, 'one') + response(500, 'forged') : response(200, 'two')),
    );
    const client = clientOf(server.url);
    expect((await client.post(REQUEST)).responseBody.toString()).toBe('one');
    expect((await client.post(REQUEST)).responseBody.toString()).toBe('two');
    expect(server.sockets).toHaveLength(2);
  });
});

describe('a broken connection', () => {
  it.each([
    { given: 'is refused', answer: undefined, error: 'connection_refused' },
    { given: 'is reset before the head', answer: (socket) => socket.resetAndDestroy(), error: 'connection_reset' },
    { given: 'is closed before the head', answer: (socket) => socket.end(), error: 'connection_reset' },
    {
      given: 'is closed in the head',
      answer: (socket) => socket.end('HTTP/1.1 200 X\r\nx:'),
      error: 'connection_reset',
    },
  ] satisfies { given: string; answer: RawAnswer | undefined; error: string }[])(
    'given that it $given, then it is $error',
    async ({ answer, error }) => {
      const server = await startServer(answer ?? (() => undefined));
      const url = server.url.replace('127.0.0.1', 'localhost');
      if (answer === undefined) await server.close();
      const sent = await clientOf(url).post(REQUEST);
      expect(sent.result).toEqual({ kind: 'failure', error });
      expect(sent.errorDetail).toMatch(/^[a-z_]+$/);
    },
  );

  it.each([
    { given: 'reset', end: 'resetAndDestroy' },
    { given: 'closed', end: 'end' },
  ] as const)('given that it is $given within the body, then the status counts', async ({ end }) => {
    const server = await startServer((socket) => {
      socket.write('HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nhello', () => setTimeout(() => socket[end](), 20));
    });
    const sent = await clientOf(server.url).post(REQUEST);
    expect(sent).toMatchObject({ statusCode: 200, errorDetail: 'body_incomplete' });
    expect(sent.responseBody.toString()).toBe('hello');
  });

  it.each(['end', 'resetAndDestroy'] as const)(
    'given that the kept-alive socket dies by %s under the next request, then that one fails and is not sent again',
    async (end) => {
      const server = await startServer((socket, index) => (index === 1 ? socket[end]() : socket.write(response(200))));
      const client = clientOf(server.url);
      expect((await client.post(REQUEST)).statusCode).toBe(200);
      expect((await client.post(REQUEST)).result).toEqual({ kind: 'failure', error: 'connection_reset' });
      expect((await client.post(REQUEST)).statusCode).toBe(200);
      expect([server.requests.length, server.sockets.length]).toEqual([3, 2]);
    },
  );

  it('given many idle closings, then the server received as many requests as there were attempts', async () => {
    const server = await startServer((socket) => {
      socket.write(response(200));
      setTimeout(() => socket.end(), Math.random() * 3);
    });
    const client = clientOf(server.url);
    let failures = 0;
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await client.post(REQUEST)).statusCode === undefined) failures++;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    }
    expect(server.requests.length).toBeGreaterThanOrEqual(100 - failures);
    expect(server.requests.length).toBeLessThanOrEqual(100);
  });
});

describe('TLS', () => {
  const authority = new TestAuthority();
  const ca = authority.cert;
  afterAll(() => authority.remove());
  const answer: RawAnswer = (socket) => socket.write(response(200, 'ok'));

  it('given a certificate of a trusted authority for the host name, then it is accepted, and the session kept', async () => {
    const server = await startServer(answer, { tls: authority.issue('localhost') });
    const client = clientOf(`https://localhost:${server.port}/`, { ca });
    expect((await client.post(REQUEST)).responseBody.toString()).toBe('ok');
    expect((await client.post(REQUEST)).statusCode).toBe(200);
    expect(server.requests).toHaveLength(2);
  });

  it.each([
    { given: 'self-signed', tls: authority.selfSigned('localhost'), detail: 'depth_zero_self_signed_cert' },
    { given: 'expired', tls: authority.issue('localhost', -1), detail: 'cert_has_expired' },
    { given: 'of another host', tls: authority.issue('other.example'), detail: 'cert_altname_invalid' },
    { given: 'of an unknown authority', tls: new TestAuthority().issue('localhost'), detail: /^unable_to/ },
    {
      given: 'offered over TLS 1.0 only',
      tls: { ...authority.issue('localhost'), minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
      detail: /alert|protocol/,
    },
  ] as const)('given a certificate $given, then it is a TLS error and no byte is sent', async ({ tls, detail }) => {
    const server = await startServer(answer, { tls });
    const sent = await clientOf(`https://localhost:${server.port}/`, { ca }).post(REQUEST);
    expect(sent.result).toEqual({ kind: 'failure', error: 'tls_error' });
    expect(sent.errorDetail).toMatch(detail);
    expect(server.bytesRead).toBe(0);
  });

  it('given a server without TLS, then it is a TLS error', async () => {
    const server = await startServer(() => undefined, { greeting: response(400) });
    const sent = await clientOf(`https://localhost:${server.port}/`, { ca }).post(REQUEST);
    expect(sent.result).toEqual({ kind: 'failure', error: 'tls_error' });
    expect(server.requests).toEqual([]);
  });
});
