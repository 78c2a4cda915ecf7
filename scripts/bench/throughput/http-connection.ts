import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

/**
 * A keep-alive connection that sends one request at a time, and parses only status and length of a response. A full
 * HTTP client would use half as much CPU as the measured API.
 */
export class HttpConnection {
  private readonly head: string;
  private readonly socket: Socket;
  #received = '';
  #waiting: PromiseWithResolvers<number> | undefined;

  /** @param head the request line and the headers, without Content-Length */
  constructor(port: number, head: readonly string[]) {
    this.head = [...head, 'Content-Length: '].join('\r\n');
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => this.#read(chunk));
    this.socket.on('error', (error) => this.#waiting?.reject(error));
    this.socket.on('close', () => this.#waiting?.reject(new Error('the API closed the connection')));
  }

  get isOpen() {
    return this.socket.writable;
  }

  /** @returns status of the response */
  request(body: string): Promise<number> {
    this.#waiting = Promise.withResolvers();
    this.socket.write(`${this.head}${Buffer.byteLength(body)}${HEAD_END}${body}`);
    return this.#waiting.promise;
  }

  close() {
    this.socket.destroy();
  }

  #read(chunk: string) {
    this.#received += chunk;
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = this.#received.slice(0, headEnd);
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < headEnd + HEAD_END.length + length) return;
    this.#received = '';
    // The status line is "HTTP/1.1 202 Accepted".
    this.#waiting?.resolve(Number(head.split(' ', 2)[1]));
  }
}
