import { createServer } from 'node:net';

/**
 * Whether a port of this machine's loopback address can be listened on.
 *
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function isPortFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Below Linux's ephemeral range: a client that retries a port in that range can end up connected to itself. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/** Ports handed out by this process: two servers that start together must not get the same one. */
const given = new Set();

/**
 * A random port that is free now.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (given.has(port) || !(await isPortFree(port))) continue;
    given.add(port);
    return port;
  }
}
