import type { Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type RawAnswer, response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';
import type { AttemptError } from '../domain/verdict.js';
import type { SendResult } from './send-result.js';

/*
 * The sender against endpoints that misbehave below what an HTTP server could be made to do. The numbers S1 to S18 are
 * those of docs/reliability.md, "Bad endpoints"; the other cases are in bad-endpoints-http.spec.ts and the files beside it.
 */

const TIMEOUT_MS = 400;
/** Most time of an attempt beyond its deadline, without delays of the whole process. */
const LATE_MS = 500;

const scene = useSender();
const loop = monitorEventLoopDelay({ resolution: 10 });

beforeEach(() => {
  loop.reset();
  loop.enable();
});
afterEach(() => loop.disable());

interface BadEndpoint {
  readonly s: string;
  readonly given: string;
  readonly answer: RawAnswer | string;
  /** A status, or the error there was instead of one. */
  readonly result: number | AttemptError;
  readonly detail: string | undefined;
  /** What is kept of the answer. */
  readonly body?: string | Buffer;
  readonly lasts: 'no time' | 'to the deadline';
  readonly connection: 'kept' | 'destroyed';
}

const TIMED_OUT = { detail: 'response', lasts: 'to the deadline', connection: 'destroyed' } as const;
const CUT_SHORT = { detail: 'body_incomplete', connection: 'destroyed' } as const;
const FINE = { detail: undefined, lasts: 'no time', connection: 'kept' } as const;
const BREACH = { result: 'bad_response', lasts: 'no time', connection: 'destroyed' } as const;
const BROKEN = { result: 'connection_reset', lasts: 'no time', connection: 'destroyed' } as const;

const CHUNKED = 'HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n';
const TEN_BYTES = 'HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
const BINARY = Buffer.from('\0<script>alert(1)</script>\u001b[31m\ud800\xff\xfe\r\n', 'latin1');

/** Writes `head` at once and then `text`, over and over, a byte at a time. */
function drip(head: string, text: string): RawAnswer {
  return (socket) => {
    socket.write(head);
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 10);
    socket.on('close', () => clearInterval(timer));
  };
}

/** Writes `head`, and when that is on its way ends the connection. */
function leave(head: string, end: (socket: Socket) => void): RawAnswer {
  return (socket) => socket.write(head, () => setTimeout(() => end(socket), 20));
}

const close = (socket: Socket) => socket.end();
const reset = (socket: Socket) => socket.resetAndDestroy();

function withBody(body: Buffer, headers: Readonly<Record<string, string>> = {}): RawAnswer {
  const head = response(200, '', { ...headers, 'x-length': '0' }).replace(
    /content-length: 0/,
    `content-length: ${body.length}`,
  );
  return (socket) => socket.write(Buffer.concat([Buffer.from(head), body]));
}

const lines = (count: number) => Array.from({ length: count }, (_, index) => `x-${index}: yyyyyyyy\r\n`).join('');

const BAD_ENDPOINTS: readonly BadEndpoint[] = [
  { s: 'S1', given: 'it accepts and never answers', answer: '', result: 'timeout', ...TIMED_OUT },
  { s: 'S1', given: 'it stops in the status line', answer: 'HTTP/1.1 20', result: 'timeout', ...TIMED_OUT },
  { s: 'S2', given: 'its head drips', answer: drip('HTTP/1.1 200 X\r\nx: ', 'y'), result: 'timeout', ...TIMED_OUT },
  {
    s: 'S2',
    given: 'its headers drip',
    answer: drip('HTTP/1.1 200 X\r\n', 'x: y\r\n'),
    result: 'timeout',
    ...TIMED_OUT,
  },
  {
    s: 'S3',
    given: 'its body drips within a length',
    answer: drip('HTTP/1.1 200 X\r\ncontent-length: 99999\r\n\r\n', 'x'),
    result: 200,
    lasts: 'to the deadline',
    ...CUT_SHORT,
  },
  {
    s: 'S3',
    given: 'its chunks drip, and it is an error',
    answer: drip('HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n'),
    result: 503,
    lasts: 'to the deadline',
    ...CUT_SHORT,
  },
  {
    s: 'S5',
    given: 'it promises 10 bytes, sends 5 and closes',
    answer: leave(`${TEN_BYTES}hello`, close),
    result: 200,
    lasts: 'no time',
    body: 'hello',
    ...CUT_SHORT,
  },
  {
    s: 'S5',
    given: 'it closes before the last chunk',
    answer: leave(`${CHUNKED}5\r\nhello\r\n`, close),
    result: 200,
    lasts: 'no time',
    body: 'hello',
    ...CUT_SHORT,
  },
  {
    s: 'S5',
    given: 'its chunk has a length that is none',
    answer: `${CHUNKED}5\r\nhello\r\nzz\r\n`,
    result: 200,
    lasts: 'no time',
    body: 'hello',
    ...CUT_SHORT,
  },
  {
    s: 'S6',
    given: 'a header of 64 KiB',
    answer: `HTTP/1.1 200 X\r\nx: ${'y'.repeat(65_536)}\r\n\r\n`,
    detail: 'headers_overflow',
    ...BREACH,
  },
  {
    s: 'S6',
    given: '2000 headers',
    answer: `HTTP/1.1 200 X\r\n${lines(2_000)}\r\n`,
    detail: 'headers_overflow',
    ...BREACH,
  },
  {
    s: 'S6',
    given: 'a NUL in a header',
    answer: 'HTTP/1.1 200 X\r\nx: a\0b\r\n\r\n',
    detail: 'invalid_http',
    ...BREACH,
  },
  {
    s: 'S6',
    given: 'a folded header',
    answer: 'HTTP/1.1 200 X\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n',
    detail: 'invalid_http',
    ...BREACH,
  },
  {
    s: 'S6',
    given: 'two lengths',
    answer: 'HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    detail: 'res_content_length_mismatch',
    ...BREACH,
  },
  {
    s: 'S6',
    given: 'a length and chunks',
    answer: 'HTTP/1.1 200 X\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    detail: 'res_content_length_mismatch',
    ...BREACH,
  },
  {
    s: 'S7',
    given: '20 encodings, one in the other',
    answer: withBody(BINARY, { 'content-encoding': Array(20).fill('gzip').join(', ') }),
    result: 200,
    body: BINARY,
    ...FINE,
  },
  { s: 'S9', given: 'a 100 and then nothing', answer: 'HTTP/1.1 100 X\r\n\r\n', detail: 'unasked_response', ...BREACH },
  { s: 'S9', given: 'a 101', answer: SWITCH, detail: 'unasked_upgrade', ...BREACH },
  { s: 'S9', given: 'a 103 and then nothing', answer: 'HTTP/1.1 103 X\r\n\r\n', result: 'timeout', ...TIMED_OUT },
  {
    s: 'S9',
    given: 'ten 103s and then an answer',
    answer: 'HTTP/1.1 103 X\r\nlink: </a>\r\n\r\n'.repeat(10) + response(200, 'ok'),
    result: 200,
    body: 'ok',
    ...FINE,
  },
  {
    s: 'S9',
    given: 'more 103s than anybody needs',
    answer: 'HTTP/1.1 103 X\r\n\r\n'.repeat(1_000) + response(200),
    detail: 'too_many_informational',
    ...BREACH,
  },
  { s: 'S12', given: 'it resets before the head', answer: reset, detail: 'econnreset', ...BROKEN },
  { s: 'S12', given: 'it closes before the head', answer: close, detail: 'socket', ...BROKEN },
  {
    s: 'S12',
    given: 'it closes in the head',
    answer: leave('HTTP/1.1 200 X\r\nx:', close),
    detail: 'socket',
    ...BROKEN,
  },
  {
    s: 'S12',
    given: 'it resets in the head',
    answer: leave('HTTP/1.1 200 X\r\nx:', reset),
    detail: 'econnreset',
    ...BROKEN,
  },
  {
    s: 'S12',
    given: 'it resets in the body',
    answer: leave(`${TEN_BYTES}hello`, reset),
    result: 200,
    lasts: 'no time',
    body: 'hello',
    ...CUT_SHORT,
  },
  {
    s: 'S14',
    given: 'a 204 with a body',
    answer: 'HTTP/1.1 204 X\r\ncontent-length: 2\r\n\r\nok',
    result: 204,
    body: '',
    ...FINE,
    connection: 'destroyed',
  },
  {
    s: 'S14',
    given: 'no length, and the end of the connection ends it',
    answer: leave('HTTP/1.1 200 X\r\n\r\nok', close),
    result: 200,
    body: 'ok',
    ...FINE,
    connection: 'destroyed',
  },
  {
    s: 'S14',
    given: 'HTTP/1.0',
    answer: 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok',
    result: 200,
    body: 'ok',
    ...FINE,
    connection: 'destroyed',
  },
  { s: 'S14', given: 'HTTP/0.9', answer: 'hello', detail: 'invalid_http', ...BREACH },
  { s: 'S14', given: 'another protocol', answer: 'SSH-2.0-OpenSSH_9.6\r\n', detail: 'invalid_http', ...BREACH },
  { s: 'S16', given: 'bytes that are no text', answer: withBody(BINARY), result: 200, body: BINARY, ...FINE },
];

/** @returns the response, or the error that came in its place */
const resultOf = ({ result }: SendResult) => (result.kind === 'response' ? result.status : result.error);

it.each(BAD_ENDPOINTS)('$s: given $given, then $result $detail; the connection is $connection', async (bad) => {
  const { answer } = bad;
  const misbehave: RawAnswer = typeof answer === 'string' ? (socket) => socket.write(answer) : answer;
  const server = await scene.server((socket, index) =>
    index === 0 ? misbehave(socket, 0) : socket.write(response(200)),
  );
  const client = scene.client(server.url);

  const sent = await client.post(postRequest({ timeoutMs: TIMEOUT_MS }));

  expect([resultOf(sent), sent.statusCode]).toEqual([
    bad.result,
    typeof bad.result === 'number' ? bad.result : undefined,
  ]);
  expect(sent.errorDetail).toBe(bad.detail);
  if (bad.body !== undefined) expect(sent.responseBody).toEqual(Buffer.from(bad.body));
  const [atLeastMs, atMostMs] = bad.lasts === 'no time' ? [0, LATE_MS] : [TIMEOUT_MS - 2, TIMEOUT_MS + LATE_MS];
  expect(sent.durationMs).toBeGreaterThanOrEqual(atLeastMs);
  expect(sent.durationMs).toBeLessThan(atMostMs + loop.max / 1e6);
  if (bad.connection === 'destroyed') await until('the connection is closed', () => server.openSockets === 0);

  // Whatever it was, the next request is fine, over that connection or a new one, and nothing was sent twice.
  expect((await client.post(postRequest())).statusCode).toBe(200);
  expect([server.requests.length, server.sockets.length]).toEqual([2, bad.connection === 'kept' ? 1 : 2]);
});
