import { createServer } from 'node:net';

/*
 * The receiver of the benchmark, in a process of its own. It reads HTTP/1.1 off the sockets itself, so far as senders here
 * speak it: node:http would take as long for a request as the raw loop takes to send one, of the two cores that the system
 * has. It answers 204, or 500 to a first attempt at the share that was asked for. It speaks by IPC:
 * `{ start: { failRate } }` begins anew, `count` asks how many were accepted, `report` for all of them.
 */

/** Publishers write it first into `data`: ms since the epoch. */
const SENT_AT = '"data":{"at":';
const SENT_AT_DIGITS = 13;

const END_OF_HEAD = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: (\d+)/i;
const FIRST_ATTEMPT = '\r\nwebhook-attempt: 1\r\n';
const ACCEPTED = 'HTTP/1.1 204 No Content\r\nkeep-alive: timeout=60\r\n\r\n';
const FAILED = 'HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nkeep-alive: timeout=60\r\n\r\n';

let failRate = 0;
let requests = 0;
/** ms since the epoch, of each accepted delivery. @type {number[]} */
let acceptedAt = [];
/** ms from publishing to arrival, of each accepted delivery. @type {number[]} */
let latencies = [];

/**
 * @param {string} head
 * @param {string} body
 * @returns {string} the answer
 */
function take(head, body) {
  requests++;
  if (failRate > 0 && head.includes(FIRST_ATTEMPT) && Math.random() < failRate) return FAILED;
  const now = Date.now();
  acceptedAt.push(now);
  const at = body.indexOf(SENT_AT) + SENT_AT.length;
  latencies.push(now - Number(body.slice(at, at + SENT_AT_DIGITS)));
  return ACCEPTED;
}

const server = createServer({ noDelay: true }, (socket) => {
  let unread = '';
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    unread += chunk;
    for (;;) {
      const bodyAt = unread.indexOf(END_OF_HEAD) + END_OF_HEAD.length;
      if (bodyAt < END_OF_HEAD.length) return;
      const head = unread.slice(0, bodyAt);
      const end = bodyAt + Number(LENGTH.exec(head)?.[1] ?? 0);
      if (unread.length < end) return;
      socket.write(take(head, unread.slice(bodyAt, end)));
      unread = unread.slice(end);
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
