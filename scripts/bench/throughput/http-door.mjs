import { Pool } from 'undici';

/** Publishers that wait for each answer before they publish the next event. */
const CONNECTIONS = 64;

/** Publishes one event per request through the API, as a service would, over kept-alive connections. */
export class HttpDoor {
  /**
   * @param {number} port
   * @param {string} apiKey
   */
  constructor(port, apiKey) {
    this.pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS });
    this.headers = ['authorization', `Bearer ${apiKey}`, 'content-type', 'application/json'];
  }

  /**
   * @param {number} total
   * @param {(number: number) => string} body
   * @returns {Promise<void>}
   * @throws Error when an event is not accepted
   */
  async publishAll(total, body) {
    let next = 0;
    const publisher = async () => {
      while (next < total) await this.publish(body(next++));
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, publisher));
  }

  /**
   * @param {string} body
   * @returns {Promise<void>}
   */
  publish(body) {
    return new Promise((resolve, reject) => {
      let status = 0;
      this.pool.dispatch(
        { path: '/v1/events', method: 'POST', headers: this.headers, body },
        {
          onRequestStart: () => undefined,
          onResponseStart(_controller, statusCode) {
            status = statusCode;
          },
          onResponseData: () => undefined,
          onResponseEnd() {
            if (status === 202) resolve();
            else reject(new Error(`an event was answered with ${status}`));
          },
          onResponseError(_controller, error) {
            reject(error);
          },
        },
      );
    });
  }

  async close() {
    await this.pool.close();
  }
}
