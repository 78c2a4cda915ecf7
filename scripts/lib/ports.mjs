import { createServer } from 'node:net';

/** Ports below Linux's ephemeral range: within that range, a client that retries a port can connect to itself. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
/** Ports of one claim. A process claims the block by listening on its first port. */
const BLOCK = 40;

/**
 * Checks whether a process can listen on a port of the loopback address.
 *
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export async function isPortFree(port) {
  const server = await listenOn(port);
  if (server === undefined) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/** Unused ports of this process's claims. @type {number[]} */
const claimed = [];
/** @type {Promise<void> | undefined} */
let claiming;

/**
 * Returns a free port. While this process lives, no other process gets the same port from this function: test files run
 * in parallel, and start servers at the same time.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (;;) {
    const port = claimed.pop();
    if (port === undefined) {
      claiming ??= claimBlock().finally(() => {
        claiming = undefined;
      });
      await claiming;
    } else if (await isPortFree(port)) return port;
  }
}

/** Claims a block by listening on its first port. The system releases the claim when the process ends. */
async function claimBlock() {
  for (;;) {
    const first = FIRST_PORT + BLOCK * Math.floor((Math.random() * (LAST_PORT - FIRST_PORT)) / BLOCK);
    const claim = await listenOn(first);
    if (claim === undefined) continue;
    claim.unref();
    for (let port = first + 1; port < first + BLOCK; port++) claimed.push(port);
    return;
  }
}

/**
 * @param {number} port of the loopback address
 * @returns {Promise<import('node:net').Server | undefined>} undefined when another socket has the port
 */
function listenOn(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
  });
}
