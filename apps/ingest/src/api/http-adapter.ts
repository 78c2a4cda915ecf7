import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuseOtherMethods } from '#common/http/other-methods.js';
import { ProblemError, problemBody } from '#common/http/problem.js';
import { answerRouterError } from '#common/http/router-errors.js';
import type { IngestConfig } from '../config.js';

/** Limit for one whole request, from its first byte to the last byte of its body. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/**
 * Longer than the usual idle timeout of load balancers (60 s), so that the load balancer closes an idle connection
 * first.
 */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Interval of Node's check for overdue requests. The default of 30 s would double the timeouts. */
const TIMEOUT_CHECK_MS = 2_000;
const MAX_HEADER_BYTES = 16 * 1_024;

/** Creates Fastify with limits on every size and time that a client controls. Bodies stay raw bytes. */
export function createHttpAdapter(config: IngestConfig): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: config.MAX_EVENT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS + config.ACCEPT_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    clientErrorHandler: answerClientError,
    frameworkErrors: answerRouterError,
  });
  // A catch-all parser does not replace the parsers of named types, so these are named. Nest then registers no parser.
  const asBytes = (_request: unknown, body: Buffer, done: (error: null, body: Buffer) => void) => done(null, body);
  for (const type of ['application/json', 'text/plain', '*']) adapter.useBodyParser(type, false, {}, asBytes);
  const server: FastifyInstance = adapter.getInstance();
  server.server.maxConnections = config.MAX_CONNECTIONS;
  refuseOtherMethods(server);
  server.addHook('onRequest', refuseEncodings);
  return adapter;
}

/** Rejects compressed bodies: the size limit cannot be checked before decompression. */
function refuseEncodings(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') done();
  else done(new ProblemError('UNSUPPORTED_MEDIA_TYPE', 'content-encoding is not supported: send the body as it is'));
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, detail: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', `headers may have at most ${MAX_HEADER_BYTES} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not arrive in time'],
};

/** Answers malformed, slow and oversized requests with problem+json, as every other error. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, detail] = CLIENT_ERRORS[error.code ?? ''] ?? ['400 Bad Request', 'this is not an HTTP request'];
  const [code = '400', ...title] = status.split(' ');
  const body = JSON.stringify({
    ...problemBody(new ProblemError('BODY_INVALID', detail)),
    type: 'about:blank',
    title: title.join(' '),
    status: Number(code),
  });
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
}
