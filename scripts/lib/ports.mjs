import { createServer } from 'node:net';

/** Below Linux's ephemeral range: a client that retries a port in that range can end up connected to itself. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
/** Ports of one claim, whose first port is the claim itself. */
const BLOCK = 40;

/**
 * Whether a port of this machine's loopback address can be listened on.
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

/** Ports of this process's claims that were not handed out. @type {number[]} */
const claimed = [];
/** @type {Promise<void> | undefined} */
let claiming;

/**
 * A port that is free now. No other process gets it from this function while this process lives: test files run in
 * parallel, and their servers start at the same moment.
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

/** Listens on a block's first port until the process ends: the system gives the claim up with the process. */
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
