import type { AttemptError } from '../domain/verdict.js';
import type { AddressPolicy } from '../security/address-policy.js';
import { type ConnectionStats, ConnectionStore } from './connection-store.js';
import { guardedConnector } from './guarded-connector.js';
import { HostResolver } from './host-resolver.js';
import { withFault } from './own-fault.js';
import type { PostGroup } from './post-group.js';
import { PostHandler } from './post-handler.js';
import type { SendResult } from './send-result.js';
import { Targets } from './target.js';
import { UnreadAnswers } from './unread-answers.js';

export type { SendResult };

export interface SenderOptions {
  /** Most connections to all endpoints together. */
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

/** The part of the connections whose answers may be read on after their results are known. */
const SHARE_OF_UNREAD = 1 / 8;

/**
 * Posts to endpoints over HTTP/1.1. Endpoints of one origin share its connections. Follows no redirects, adds no headers
 * besides host, length and connection, and never sends a request twice: undici fails a POST whose kept-alive socket turns out
 * to be dead, and so does the sender.
 */
export class Sender {
  private readonly connections: ConnectionStore;
  private readonly resolver: HostResolver;
  private readonly targets: Targets;
  private readonly unread: UnreadAnswers;
  private isClosed = false;

  constructor({ maxConnections, policy, resolver = new HostResolver(), ca }: SenderOptions) {
    this.resolver = resolver;
    this.targets = new Targets(policy);
    this.unread = new UnreadAnswers(Math.ceil(maxConnections * SHARE_OF_UNREAD));
    this.connections = new ConnectionStore({
      maxConnections,
      client: {
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
      },
    });
  }

  get stats(): ConnectionStats {
    return this.connections.stats;
  }

  /** Idle connections that were closed so far to make room for others. */
  get evictions(): number {
    return this.connections.evictions;
  }

  /** Never rejects: the result has the error, also for a URL that the policy refuses. */
  post(url: string, { headers, body, timeoutMs, group }: PostRequest): Promise<SendResult> {
    const target = this.targets.of(url);
    if ('refused' in target) return Promise.resolve(failed(target.refused));
    if (this.isClosed) return Promise.resolve(failed('aborted'));
    const { origin, hostname, path } = target;
    return new Promise((resolve) => {
      const settle = (sent: SendResult) =>
        resolve(sent.statusCode === undefined ? withFault(sent, hostname, this.resolver) : sent);
      const handler = new PostHandler(settle, { timeoutMs, group, unread: this.unread });
      if (handler.isSettled) return;
      this.connections.dispatch(origin, { path, method: 'POST', headers, body }, handler);
    });
  }

  /** Requests under way finish first, each within its deadline; later ones fail. Idempotent. */
  close(): Promise<void> {
    this.isClosed = true;
    return this.connections.close();
  }
}

function failed(error: AttemptError): SendResult {
  return {
    result: { kind: 'failure', error },
    statusCode: undefined,
    errorDetail: undefined,
    responseBody: Buffer.alloc(0),
    durationMs: 0,
    isOurFault: false,
  };
}
