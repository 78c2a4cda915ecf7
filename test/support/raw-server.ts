import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** Answers one request with arbitrary bytes, or not at all. `index` counts the server's requests from 0. */
export type RawAnswer = (socket: Socket, index: number) => void;

export interface RawServerOptions {
  readonly tls?: TlsOptions;
  /** Called for every connection, before its first request. */
  readonly onConnect?: (socket: Socket) => void;
  /** Address; by default 127.0.0.1. */
  readonly host?: string;
  /** Port; by default a free one. */
  readonly port?: number;
}

/**
 * A server on TCP level: reads whole requests, keeps them, and writes the test's bytes. It can thus break HTTP in every
 * way.
 */
export class RawServer {
  /** Requests, head and body, unchanged. */
  readonly requests: string[] = [];
  readonly sockets: Socket[] = [];
  /** Bytes received over TCP or TLS. */
  bytesRead = 0;
  private readonly server: Server;

  private constructor(
    private readonly answer: RawAnswer,
    { tls, onConnect }: RawServerOptions,
  ) {
    const accept = (socket: Socket) => {
      this.accept(socket);
      onConnect?.(socket);
    };
    this.server = tls ? createTlsServer({ ...tls }, accept) : createServer(accept);
    this.server.on('tlsClientError', () => undefined);
  }

  static async start(answer: RawAnswer, options: RawServerOptions = {}): Promise<RawServer> {
    const server = new RawServer(answer, options);
    await new Promise<void>((resolve) => server.server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook?a=1`;
  }

  get openSockets(): number {
    return this.sockets.filter((socket) => !socket.destroyed).length;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: Socket): void {
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    let unread = '';
    socket.on('data', (chunk) => {
      this.bytesRead += chunk.length;
      unread += chunk.toString('latin1');
      for (let end = requestEnd(unread); end > 0; end = requestEnd(unread)) {
        const index = this.requests.push(unread.slice(0, end)) - 1;
        unread = unread.slice(end);
        this.answer(socket, index);
      }
    });
  }
}

/** @returns end of the first request; 0 while it is incomplete */
function requestEnd(text: string): number {
  const bodyStart = text.indexOf('\r\n\r\n') + 4;
  if (bodyStart < 4) return 0;
  const end = bodyStart + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  return text.length >= end ? end : 0;
}

/** A complete, valid response. */
export function response(status: number, body = '', headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} X\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
