import { HttpConnection } from './http-connection.ts';

/** Number of publishers; each waits for its response before it publishes the next event. */
const PUBLISHERS = 256;

/** Publishes one event per request through the API, over keep-alive connections. */
export class HttpDoor {
  private readonly port: number;
  private readonly head: readonly string[];
  #connections: HttpConnection[] = [];
  #idle: HttpConnection[] = [];

  constructor(port: number, apiKey: string) {
    this.port = port;
    this.head = [
      'POST /v1/events HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      `Authorization: Bearer ${apiKey}`,
      'Content-Type: application/json',
    ];
  }

  /** @throws Error when an event is not accepted */
  async publishAll(total: number, body: (number: number) => string): Promise<void> {
    let next = 0;
    const publisher = async () => {
      while (next < total) await this.publish(body(next++));
    };
    await Promise.all(Array.from({ length: PUBLISHERS }, publisher));
  }

  /** @throws Error when the event is not accepted */
  async publish(body: string): Promise<void> {
    const connection = this.#take();
    const status = await connection.request(body);
    if (status !== 202) throw new Error(`an event was answered with ${status}`);
    this.#idle.push(connection);
  }

  close() {
    for (const connection of this.#connections) connection.close();
  }

  /** Reconnects: the API closes idle connections. */
  #take() {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) if (idle.isOpen) return idle;
    const connection = new HttpConnection(this.port, this.head);
    this.#connections.push(connection);
    return connection;
  }
}
