import { type RawAnswer, type RawServer, response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';
import { PRESETS } from '../domain/retry-policy.js';
import { verdictOf } from '../domain/verdict.js';

/* Bad endpoints, continued: what takes more than one request, or more than one endpoint. */

const scene = useSender();

describe('S8: given a redirect, then it is not followed, and the attempt has failed', () => {
  const TARGETS = [
    { to: 'cloud metadata', location: () => 'http://169.254.169.254/latest/meta-data/' },
    { to: 'itself', location: ({ url }: RawServer) => url },
    { to: 'a path of its own', location: () => '/elsewhere' },
    { to: 'a file', location: () => 'file:///etc/passwd' },
    { to: 'another server of ours', location: (_: RawServer, canary: RawServer) => canary.url },
    { to: 'nowhere', location: () => undefined },
  ];
  const STATUSES = [300, 301, 302, 303, 305, 307, 308];
  const REDIRECTS = STATUSES.flatMap((status) => TARGETS.map((target) => ({ status, ...target })));

  it.each(REDIRECTS)('S8: $status to $to', async ({ status, location }) => {
    const canary = await scene.server(response(200));
    const server = await scene.server((socket, index) => {
      const to = location(server, canary);
      socket.write(index === 0 ? response(status, '', to === undefined ? {} : { location: to }) : response(200));
    });
    const client = scene.client(server.url);

    const { result } = await client.post(postRequest());

    expect(result).toEqual({ kind: 'response', status, retryAfter: undefined });
    expect(verdictAt(result).kind).toBe('retry');
    expect([server.requests.length, canary.sockets.length]).toEqual([1, 0]);
    expect((await client.post(postRequest())).statusCode).toBe(200);
    expect(server.sockets).toHaveLength(1);
  });
});

describe('S10: given an answer nobody asked for, then no request gets it', () => {
  const FORGED = response(500, 'forged');

  const FORGERIES: readonly { when: string; answer: RawAnswer }[] = [
    { when: 'with the first answer', answer: (socket) => socket.write(response(200, 'one') + FORGED) },
    {
      when: 'on the idle connection',
      answer: (socket) => socket.write(response(200, 'one'), () => setTimeout(() => socket.write(FORGED), 20)),
    },
    {
      when: 'behind a 204',
      answer: (socket) => socket.write(`HTTP/1.1 204 X\r\ncontent-length: ${FORGED.length}\r\n\r\n${FORGED}`),
    },
  ];

  it.each(FORGERIES)('S10: $when', async ({ answer }) => {
    const server = await scene.server((socket, index) =>
      index === 0 ? answer(socket, 0) : socket.write(response(200, 'two')),
    );
    const client = scene.client(server.url);
    await client.post(postRequest());
    await until('the connection is closed', () => server.openSockets === 0);
    expect((await client.post(postRequest())).responseBody.toString()).toBe('two');
    expect([server.requests.length, server.sockets.length]).toEqual([2, 2]);
  });
});

describe('S11: given that the idle connection ends under the next request', () => {
  it.each(['end', 'resetAndDestroy'] as const)('S11: by %s, then that one fails and is not sent again', async (end) => {
    const server = await scene.server((socket, index) => (index === 1 ? socket[end]() : socket.write(response(200))));
    const client = scene.client(server.url);
    expect((await client.post(postRequest())).statusCode).toBe(200);
    expect((await client.post(postRequest())).result).toEqual({ kind: 'failure', error: 'connection_reset' });
    expect((await client.post(postRequest())).statusCode).toBe(200);
    expect([server.requests.length, server.sockets.length]).toEqual([3, 2]);
  });

  it('S11: at any moment, then the endpoint never sees more requests than there were attempts', async () => {
    const server = await scene.server((socket) => {
      socket.write(response(200));
      setTimeout(() => socket.end(), Math.random() * 3);
    });
    const client = scene.client(server.url);
    let failures = 0;
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await client.post(postRequest())).statusCode === undefined) failures++;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    }
    expect(server.requests.length).toBeGreaterThanOrEqual(100 - failures);
    expect(server.requests.length).toBeLessThanOrEqual(100);
  });
});

describe('S15: given Retry-After, then the wait stays within the policy', () => {
  const QUICK_MS = 4_000;
  const LONGEST_MS = 64_000;
  const nowMs = Date.parse('2026-08-01T00:00:00Z');

  it.each([
    { retryAfter: '999999999', delayMs: LONGEST_MS },
    { retryAfter: '9'.repeat(400), delayMs: LONGEST_MS },
    { retryAfter: 'Fri, 01 Jan 2100 00:00:00 GMT', delayMs: LONGEST_MS },
    { retryAfter: '10', delayMs: 10_000 },
    { retryAfter: '0', delayMs: QUICK_MS },
    { retryAfter: '-1', delayMs: QUICK_MS },
    { retryAfter: '-0', delayMs: QUICK_MS },
    { retryAfter: '1e9', delayMs: QUICK_MS },
    { retryAfter: 'NaN', delayMs: QUICK_MS },
    { retryAfter: 'Infinity', delayMs: QUICK_MS },
    { retryAfter: 'Wed, 21 Oct 2015 07:28:00 GMT', delayMs: QUICK_MS },
    { retryAfter: 'Sun, 99 Xyz 9999 99:99:99 GMT', delayMs: QUICK_MS },
    { retryAfter: '', delayMs: QUICK_MS },
  ])('S15: $retryAfter', async ({ retryAfter, delayMs }) => {
    const server = await scene.server(response(429, '', { 'retry-after': retryAfter }));
    const { result } = await scene.client(server.url).post(postRequest());
    expect(verdictAt(result, nowMs)).toEqual({ kind: 'retry', delayMs });
  });
});

describe('S17: given very many endpoints on one slow address', () => {
  const ENDPOINTS = 1_000;

  it('S17: then each costs its own connection, a neighbour does not notice, and none is left open', async () => {
    const slow = await scene.server(() => undefined);
    const quick = await scene.server(response(200));
    const neighbour = scene.client(quick.url);
    await neighbour.post(postRequest());
    const socketsBefore = openSockets();

    const attempts = Array.from({ length: ENDPOINTS }, () =>
      scene.client(slow.url).post(postRequest({ timeoutMs: 3_000 })),
    );
    await until('all of them wait', () => slow.requests.length === ENDPOINTS);
    expect(slow.sockets).toHaveLength(ENDPOINTS);
    const tookMs: number[] = [];
    for (let index = 0; index < 200; index++) tookMs.push((await neighbour.post(postRequest())).durationMs);
    expect(tookMs.sort((a, b) => a - b)[198]).toBeLessThan(50);

    for (const sent of await Promise.all(attempts)) expect(sent.result).toEqual({ kind: 'failure', error: 'timeout' });
    await until('all connections are closed', () => slow.openSockets === 0);
    await until('none is left in this process', () => openSockets() <= socketsBefore + 2);
  });

  it('S17: that ask for connections to be kept for an hour, then they are closed after seconds all the same', async () => {
    const server = await scene.server(response(200, '', { connection: 'keep-alive', 'keep-alive': 'timeout=3600' }));
    await scene.client(server.url).post(postRequest());
    await until('the connection is closed', () => server.openSockets === 0, 6_000);
  });
});

const verdictAt = (result: Parameters<typeof verdictOf>[0], nowMs = Date.now()) =>
  verdictOf(result, { policy: PRESETS.quick, attempt: 1, replay: 0, nowMs, random: Math.random });

/** Both ends are in this process. */
const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
