import { execFile } from 'node:child_process';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { response } from '../../../../test/support/raw-server.js';
import { useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';
import type { AttemptResult } from '../domain/verdict.js';
import { MAX_CAPTURED_BYTES } from './send-result.js';

/*
 * Bad endpoints, continued: endless answers. A separate process makes one attempt, so that memory and event loop are the
 * sender's alone.
 */

const MIB = 1_048_576;
const GREAT_BYTES = 1_500 * MIB;
const TIMEOUT_MS = 2_000;
/** More than a process that has made 500 ordinary attempts: resident at any moment, and in use afterwards. */
const MOST_BYTES = 5 * MIB;
/** Of header floods, which cost an error each: seen were 3 MB on an idle machine, and 11 MB on a busy one, before V8 came to collect. */
const MOST_HEADER_BYTES = 16 * MIB;
/** Of a tenth of it, most goes to undici, which makes an error of each small header beyond its limit. */
const MOST_LOOP_DELAY_MS = 500;

const CHUNKED = 'HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n';

const scene = useSender();

interface Cost {
  readonly result: AttemptResult;
  readonly errorDetail?: string;
  readonly durationMs: number;
  readonly keptBytes: number;
  readonly peakRssBytes: number;
  readonly heapBytes: number;
  readonly loopDelayMs: number;
}

/** Makes one attempt in a process of its own. */
async function costOf(url: string): Promise<Cost> {
  const quick = await scene.server(response(200, 'x'.repeat(2_000)));
  const flags = ['--expose-gc', '--import', './test/support/transpile.mjs', 'test/support/sender-process.mjs'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, quick.url, url, String(TIMEOUT_MS)]);
  return JSON.parse(stdout);
}

/** As much as the other side takes. @returns how much that was */
function pour(socket: Socket, head: string, chunk: Buffer): () => number {
  let written = 0;
  const more = () => {
    while (!socket.destroyed && written < GREAT_BYTES) {
      written += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.write(head);
  socket.on('drain', more);
  more();
  return () => written;
}

const repeated = (text: string) => Buffer.from(text.repeat(Math.ceil(MIB / text.length)));

interface Flood {
  readonly s: string;
  readonly given: string;
  readonly head: string;
  readonly chunk: Buffer;
  readonly result: AttemptResult;
  readonly detail: string | undefined;
  readonly mostBytes?: number;
}

const OK: AttemptResult = { kind: 'response', status: 200, retryAfter: undefined };
const ANSWERED = { result: OK, detail: undefined } as const;
const BREACH = { result: { kind: 'failure', error: 'bad_response' } } as const;
const CUT = { result: OK, detail: 'body_incomplete' } as const;

const FLOODS: readonly Flood[] = [
  {
    s: 'S4',
    given: 'a body of 1.5 GB',
    head: `HTTP/1.1 200 X\r\ncontent-length: ${GREAT_BYTES}\r\n\r\n`,
    chunk: Buffer.alloc(MIB),
    ...ANSWERED,
  },
  {
    s: 'S4',
    given: 'chunks without end',
    head: `${CHUNKED}\r\n`,
    chunk: repeated(`400\r\n${'x'.repeat(1_024)}\r\n`),
    ...ANSWERED,
  },
  {
    s: 'S4',
    given: 'a body that only the end ends',
    head: 'HTTP/1.1 200 X\r\n\r\n',
    chunk: Buffer.alloc(MIB),
    ...ANSWERED,
  },
  {
    s: 'S7',
    given: 'a gzip bomb of 1.5 GB',
    head: `HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\n\r\n`,
    chunk: gzipSync(Buffer.alloc(100 * MIB)),
    ...ANSWERED,
  },
  {
    s: 'S6',
    given: 'a header without end',
    head: 'HTTP/1.1 200 X\r\nx: ',
    chunk: repeated('y'),
    detail: 'headers_overflow',
    ...BREACH,
  },
  {
    s: 'S6',
    given: 'headers without end',
    head: 'HTTP/1.1 200 X\r\n',
    chunk: repeated('x: y\r\n'),
    detail: 'headers_overflow',
    mostBytes: MOST_HEADER_BYTES,
    ...BREACH,
  },
  {
    s: 'S6',
    given: 'trailers without end',
    head: `${CHUNKED}\r\n0\r\n`,
    chunk: repeated('x: y\r\n'),
    mostBytes: MOST_HEADER_BYTES,
    ...CUT,
  },
  {
    s: 'S9',
    given: '103s without end',
    head: '',
    chunk: repeated('HTTP/1.1 103 X\r\n\r\n'),
    detail: 'too_many_informational',
    ...BREACH,
  },
  {
    s: 'S2',
    given: 'a reason phrase without end',
    head: 'HTTP/1.1 200 ',
    chunk: repeated('y'),
    detail: 'too_long',
    ...BREACH,
  },
  { s: 'S2', given: 'empty lines without end', head: '', chunk: repeated('\r\n'), detail: 'too_long', ...BREACH },
  {
    s: 'S2',
    given: 'spaces without end',
    head: 'HTTP/1.1 200 X\r\nx:',
    chunk: repeated(' '),
    detail: 'too_long',
    ...BREACH,
  },
  { s: 'S3', given: 'a chunk size without end', head: `${CHUNKED}\r\n`, chunk: repeated('0'), ...CUT },
  { s: 'S3', given: 'a chunk extension without end', head: `${CHUNKED}\r\n1;x=`, chunk: repeated('y'), ...CUT },
];

it.each(FLOODS)(
  '$s: given $given, then it costs next to no memory',
  async ({ head, chunk, result, detail, mostBytes = MOST_BYTES }) => {
    let written = () => 0;
    const server = await scene.server((socket) => {
      written = pour(socket, head, chunk);
    });
    const { peakRssBytes, heapBytes, loopDelayMs, keptBytes, ...cost } = await costOf(server.url);
    expect([cost.result, cost.errorDetail]).toEqual([result, detail]);
    expect(cost.durationMs).toBeLessThan(TIMEOUT_MS / 2);
    expect(keptBytes).toBeLessThanOrEqual(MAX_CAPTURED_BYTES);
    expect([peakRssBytes, heapBytes].filter((bytes) => bytes > mostBytes)).toEqual([]);
    expect(loopDelayMs).toBeLessThan(MOST_LOOP_DELAY_MS);
    await until('the connection is closed', () => server.openSockets === 0);
    // What the sender left unread: it was offered all of it, and took what the system buffers.
    expect(written()).toBeLessThan(GREAT_BYTES / 50);
  },
);
