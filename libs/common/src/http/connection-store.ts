import { Client, type Dispatcher } from 'undici';
import { type Listed, RecencyList } from '../collections/recency-list.js';

/** Called back about one request. A handler that is settled before its request is sent needs no connection. */
export interface RequestHandler extends Dispatcher.DispatchHandler {
  readonly isSettled: boolean;
}

export interface ConnectionStoreOptions {
  /** Most connections of the process, busy and idle together. */
  readonly maxConnections: number;
  /** undici's options of one connection. */
  readonly client: Client.Options;
}

/** Numbers of connections and requests at one moment. */
export interface ConnectionStats {
  readonly busy: number;
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

const LEAST_TO_PRUNE = 256;

/** Shared: an error of its own, with its stack, for each closed connection took 7 % of the CPU of connecting (measured). */
const DROPPED = new Error('the connection is not needed any more');

interface WaitingRequest {
  readonly origin: string;
  readonly request: Dispatcher.DispatchOptions;
  readonly handler: RequestHandler;
}

/** One connection to an origin, for one request at a time. */
class Connection extends Client implements Listed<Connection> {
  older: Connection | undefined;
  newer: Connection | undefined;
  state: 'busy' | 'idle' | 'dropped' = 'busy';

  constructor(
    readonly origin: string,
    options: Client.Options,
  ) {
    super(origin, options);
  }
}

/** The connections to one origin. */
interface Origin {
  open: number;
  /** The connection that became idle last is reused first, so that surplus connections reach their idle timeout. */
  readonly idle: Connection[];
}

/**
 * All connections of the process, to all origins. At the limit, a request to a new origin closes the connection that was idle
 * for the longest time. When all connections are busy, requests wait in their order. The store keeps nothing about an origin
 * without a connection.
 *
 * undici's own pools hold one origin each, with a queue of 2048 places (28 KB, measured), and have no common limit.
 */
export class ConnectionStore {
  private readonly origins = new Map<string, Origin>();
  private readonly idle = new RecencyList<Connection>();
  private waiting: WaitingRequest[] = [];
  /** At this number of waiting requests, those that are settled are removed. */
  private pruneAt = LEAST_TO_PRUNE;
  private open = 0;
  private evicted = 0;
  private closed: PromiseWithResolvers<void> | undefined;

  constructor(private readonly options: ConnectionStoreOptions) {}

  get stats(): ConnectionStats {
    const { idle, open, waiting } = this;
    return { busy: open - idle.size, idle: idle.size, waiting: waiting.length };
  }

  /** Idle connections that were closed so far to make room for others. */
  get evictions(): number {
    return this.evicted;
  }

  /** Sends the request as soon as a connection is free. Not to be called after {@link close}. */
  dispatch(origin: string, request: Dispatcher.DispatchOptions, handler: RequestHandler): void {
    const connection = this.take(origin);
    if (connection === undefined) this.wait({ origin, request, handler });
    else this.send(connection, request, handler);
  }

  /** Resolves when all requests have ended, waiting ones included. Idempotent. */
  close(): Promise<void> {
    this.closed ??= Promise.withResolvers();
    for (let oldest = this.idle.oldest; oldest !== undefined; oldest = this.idle.oldest) this.drop(oldest);
    this.afterDrop();
    return this.closed.promise;
  }

  /** A request that reached its deadline while it waited must not keep its body in memory until a connection is free. */
  private wait(request: WaitingRequest): void {
    this.waiting.push(request);
    if (this.waiting.length < this.pruneAt) return;
    this.waiting = this.waiting.filter(({ handler }) => !handler.isSettled);
    this.pruneAt = Math.max(LEAST_TO_PRUNE, 2 * this.waiting.length);
  }

  private send(connection: Connection, request: Dispatcher.DispatchOptions, handler: RequestHandler): void {
    connection.dispatch(request, handler);
    // undici refused the request, for example for a header that HTTP does not allow: the connection got nothing to do.
    if (handler.isSettled && connection.state === 'busy' && connection.stats.size === 0) this.drop(connection);
  }

  /** @returns a connection that is free for one request; undefined when all are busy */
  private take(origin: string): Connection | undefined {
    const connection = this.origins.get(origin)?.idle.pop();
    if (connection === undefined) return this.connect(origin);
    this.idle.delete(connection);
    connection.state = 'busy';
    return connection;
  }

  private connect(origin: string): Connection | undefined {
    if (this.open >= this.options.maxConnections) {
      const { oldest } = this.idle;
      if (oldest === undefined) return undefined;
      this.evicted++;
      this.drop(oldest);
    }
    const connection = new Connection(origin, this.options.client);
    // undici emits `drain` when the connection is free for the next request.
    connection.on('drain', () => this.release(connection));
    connection.on('disconnect', () => this.dropUnused(connection));
    connection.on('connectionError', () => this.dropUnused(connection));
    const known = this.origins.get(origin);
    if (known) known.open++;
    else this.origins.set(origin, { open: 1, idle: [] });
    this.open++;
    return connection;
  }

  private release(connection: Connection): void {
    if (connection.state !== 'busy') return;
    if (this.closed && this.waiting.length === 0) {
      this.drop(connection);
      return;
    }
    connection.state = 'idle';
    this.origins.get(connection.origin)?.idle.push(connection);
    this.idle.add(connection);
    this.serveWaiting();
  }

  /** A client that still has a request connects again by itself: its request was never sent. */
  private dropUnused(connection: Connection): void {
    if (connection.state === 'dropped' || connection.stats.size > 0) return;
    this.drop(connection);
    this.serveWaiting();
  }

  private serveWaiting(): void {
    for (let [next] = this.waiting; next !== undefined; [next] = this.waiting) {
      if (!next.handler.isSettled) {
        const connection = this.take(next.origin);
        if (connection === undefined) return;
        this.send(connection, next.request, next.handler);
      }
      this.waiting.shift();
    }
    this.afterDrop();
  }

  private drop(connection: Connection): void {
    const { origin: name, state } = connection;
    const origin = this.origins.get(name);
    if (origin && --origin.open === 0) this.origins.delete(name);
    if (state === 'idle') {
      this.idle.delete(connection);
      origin?.idle.splice(origin.idle.indexOf(connection), 1);
    }
    connection.state = 'dropped';
    this.open--;
    void connection.destroy(DROPPED);
    this.afterDrop();
  }

  private afterDrop(): void {
    if (this.open === 0 && this.waiting.length === 0) this.closed?.resolve();
  }
}
