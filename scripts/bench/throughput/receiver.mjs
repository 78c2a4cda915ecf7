import { createServer } from 'node:net';

/*
 * The receiver of the benchmark, in a process of its own: an HTTP/1.1 server over plain sockets, so that two cores are
 * spent on what is measured. It answers 204, or 500 to a first attempt at the share that was asked for. It speaks by IPC:
 * `{ start: { failRate } }` begins anew, `count` asks how many were accepted, `report` for all of them.
 */

const OK = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n');
const FAILURE = Buffer.from('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const FIRST_ATTEMPT = 'webhook-attempt: 1\r\n';
/** Publishers write it first into `data`: ms since the epoch. */
const SENT_AT = '"data":{"at":';
const SENT_AT_DIGITS = 13;

let failRate = 0;
let requests = 0;
/** ms since the epoch, of each accepted delivery. @type {number[]} */
let acceptedAt = [];
/** ms from publishing to arrival, of each accepted delivery. @type {number[]} */
let latencies = [];

/** @param {string} head @param {Buffer} body */
function answer(head, body) {
  requests++;
  if (failRate > 0 && head.toLowerCase().includes(FIRST_ATTEMPT) && Math.random() < failRate) return FAILURE;
  const now = Date.now();
  acceptedAt.push(now);
  const at = body.indexOf(SENT_AT) + SENT_AT.length;
  latencies.push(now - Number(body.toString('latin1', at, at + SENT_AT_DIGITS)));
  return OK;
}

/** @param {string} head */
function bodyLength(head) {
  const at = head.toLowerCase().indexOf('content-length:');
  return at < 0 ? 0 : Number.parseInt(head.slice(at + 15, at + 25), 10);
}

const server = createServer({ noDelay: true }, (socket) => {
  /** @type {Buffer} */
  let pending = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const headEnd = pending.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const head = pending.toString('latin1', 0, headEnd + 2);
      const end = headEnd + HEAD_END.length + bodyLength(head);
      if (pending.length < end) return;
      socket.write(answer(head, pending.subarray(headEnd, end)));
      pending = pending.subarray(end);
    }
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ listening: address.port });
});

process.on('message', (/** @type {'count' | 'report' | { start: { failRate: number } }} */ message) => {
  if (message === 'count') {
    process.send?.({ accepted: acceptedAt.length });
    return;
  }
  if (message === 'report') {
    process.send?.({ requests, acceptedAt, latencies });
    return;
  }
  failRate = message.start.failRate;
  requests = 0;
  acceptedAt = [];
  latencies = [];
  process.send?.({ started: true });
});
process.on('disconnect', () => process.exit());
