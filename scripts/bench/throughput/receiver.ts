import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

/*
 * The receiver of the benchmark, a plain node:http server in its own process. It answers 204, and 500 to the share
 * `failRate` of first attempts. IPC messages: `{ start: { failRate } }` resets it, `count` returns the number of
 * accepted deliveries and of open connections, `report` returns all of them.
 *
 * Arguments, for https: the files of its key and its certificate.
 */

/** Time of publishing at the beginning of `data`, ms since the epoch. */
const SENT_AT = '"data":{"at":';
const SENT_AT_DIGITS = 13;

let failRate = 0;
let requests = 0;
/** Arrival time of each accepted delivery, ms since the epoch. */
let acceptedAt: number[] = [];
/** ms from publishing to arrival, of each accepted delivery. */
let latencies: number[] = [];

/** @returns the response status */
function take({ headers }: IncomingMessage, body: Buffer): number {
  requests++;
  if (failRate > 0 && headers['webhook-attempt'] === '1' && Math.random() < failRate) return 500;
  const now = Date.now();
  acceptedAt.push(now);
  const at = body.indexOf(SENT_AT) + SENT_AT.length;
  latencies.push(now - Number(body.toString('latin1', at, at + SENT_AT_DIGITS)));
  return 204;
}

const answer: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => response.writeHead(take(request, Buffer.concat(chunks))).end());
};

const [keyFile, certificateFile] = process.argv.slice(2);
const server =
  keyFile === undefined || certificateFile === undefined
    ? createServer(answer)
    : createSecureServer({ key: readFileSync(keyFile), cert: readFileSync(certificateFile) }, answer);
/** Sockets, before and after their handshakes. */
let connections = 0;
server.on('connection', (socket) => {
  connections++;
  socket.once('close', () => connections--);
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ listening: address.port });
});

process.on('message', (message: 'count' | 'report' | { start: { failRate: number } }) => {
  if (message === 'count') {
    process.send?.({ accepted: acceptedAt.length, connections });
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
