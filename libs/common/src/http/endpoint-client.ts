import { Pool } from 'undici';
import type { AttemptError } from '../domain/verdict.js';
import { type AddressPolicy, checkUrl } from '../security/address-policy.js';
import { guardedConnector } from './guarded-connector.js';
import { HostResolver } from './host-resolver.js';
import { withFault } from './own-fault.js';
import type { PostGroup } from './post-group.js';
import { PostHandler } from './post-handler.js';
import type { SendResult } from './send-result.js';

export type { SendResult };

export interface EndpointClientOptions {
  readonly url: string;
  /** Also the most requests at a time that do not wait for one another. */
  readonly maxConnections: number;
  readonly policy: AddressPolicy;
  readonly resolver?: HostResolver;
  /** Certificate authorities in PEM, in place of Node's own. */
  readonly ca?: string;
}

export interface PostRequest {
  /** Names and values by turns. Length, host and connection are not among them. */
  readonly headers: string[];
  readonly body: Buffer;
  /** From now to the last byte that counts: waiting for a connection, DNS, TLS and the answer included. */
  readonly timeoutMs: number;
  /** The group that can end it. */
  readonly group?: PostGroup;
}

/** An idle connection is closed by then. Below the 5 s after which Node, Apache and others close it from their side. */
const KEEP_ALIVE_MS = 4_000;

/**
 * A connection is replaced after as many, so that an endpoint that moved is found at its new address. Not by age: undici's
 * `clientTtl` looks at the clock once per connection and request (measured: 8 of 30 µs at 32 connections).
 */
const MAX_REQUESTS_PER_CONNECTION = 1_000;

const MAX_HEADER_BYTES = 16 * 1_024;

/** Names are resolved, and answers kept, for all endpoints together. */
const SHARED_RESOLVER = new HostResolver();

/**
 * Posts to one endpoint over its own connections, HTTP/1.1. Follows no redirects, adds no headers of its own besides
 * host, length and connection, and never sends a request twice: undici fails a POST whose kept-alive socket turns out to
 * be dead, and so does this.
 */
export class EndpointClient {
  private readonly pool: Pool | undefined;
  private readonly resolver: HostResolver;
  private readonly hostname: string;
  private readonly path: string;
  private readonly problem: AttemptError | undefined;
  private closed: Promise<void> | undefined;

  /** Does not throw for a URL the policy refuses: each post then fails. */
  constructor({ url, maxConnections, policy, resolver = SHARED_RESOLVER, ca }: EndpointClientOptions) {
    this.resolver = resolver;
    this.problem = urlProblem(url, policy);
    const parsed = this.problem === undefined ? new URL(url) : undefined;
    this.hostname = parsed?.hostname ?? '';
    this.path = parsed ? parsed.pathname + parsed.search : '';
    this.pool =
      parsed &&
      new Pool(parsed.origin, {
        connections: maxConnections,
        connect: guardedConnector({ policy, resolver, ...(ca === undefined ? {} : { ca }) }),
        allowH2: false,
        keepAliveTimeout: KEEP_ALIVE_MS,
        // An endpoint's header may shorten this time, not lengthen it: connections would stay open for minutes.
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
        maxRequestsPerClient: MAX_REQUESTS_PER_CONNECTION,
        maxHeaderSize: MAX_HEADER_BYTES,
        // The one deadline of each request covers both; undici's timers restart with each chunk.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
  }

  /** Never rejects: the result has the error. */
  post({ headers, body, timeoutMs, group }: PostRequest): Promise<SendResult> {
    const { pool, path, problem, hostname, resolver } = this;
    if (pool === undefined) return Promise.resolve(refused(problem ?? 'invalid_url'));
    return new Promise((resolve) => {
      const settle = (sent: SendResult) =>
        resolve(sent.statusCode === undefined ? withFault(sent, hostname, resolver) : sent);
      const handler = new PostHandler(settle, timeoutMs, group);
      if (handler.isSettled) return;
      pool.dispatch({ path, method: 'POST', headers, body }, handler);
    });
  }

  /** Whether it holds neither a request nor a connection. */
  get isIdle(): boolean {
    const { size = 0, connected = 0 } = this.pool?.stats ?? {};
    return size + connected === 0;
  }

  /** Requests under way finish first, each within its deadline; later ones fail. Idempotent. */
  close(): Promise<void> {
    this.closed ??= this.pool?.close() ?? Promise.resolve();
    return this.closed;
  }
}

function urlProblem(url: string, policy: AddressPolicy): AttemptError | undefined {
  const code = checkUrl(url, policy)?.code;
  if (code === undefined) return undefined;
  return code === 'address_not_allowed' || code === 'name_not_allowed' ? 'blocked_address' : 'invalid_url';
}

function refused(error: AttemptError): SendResult {
  return {
    result: { kind: 'failure', error },
    statusCode: undefined,
    errorDetail: undefined,
    responseBody: Buffer.alloc(0),
    durationMs: 0,
    isOurFault: false,
  };
}
