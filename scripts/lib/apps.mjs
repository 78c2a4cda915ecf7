import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { until } from './until.mjs';

/**
 * The same as in the image (deploy/Dockerfile). The old generation is kept compact: left alone, V8 lets a process that
 * turns over thousands of records a second grow to twice the size. Told of a limit alone, it would mark all of it again
 * whenever 30 % have been added. In a smaller young one, what waits for a moment would be copied twice as often
 * (docs/performance.md).
 */
const NODE_FLAGS = [
  '--enable-source-maps',
  '--max-semi-space-size=16',
  '--max-old-space-size=192',
  '--heap-growing-percent=50',
];
/** glibc would give each of a process's dozen threads memory of its own. Also in the image. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '2' };
const READY_TIMEOUT_MS = 60_000;
/** Enough to finish attempts under way; together with the servers' it stays below 15 s. */
const APP_GRACE_MS = 8_000;

/** @typedef {import('./server.mjs').Service} Service */
/** @typedef {{ name: string, portName: import('./settings.mjs').PortName }} App */

/** Migrates the database and publishes the API key the others wait for, so it starts first. */
export const CONTROL = /** @type {const} @satisfies {App} */ ({ name: 'control', portName: 'CONTROL_PORT' });

export const WORKERS = /** @type {const} @satisfies {readonly App[]} */ ([
  { name: 'ingest', portName: 'INGEST_PORT' },
  { name: 'dispatcher', portName: 'DISPATCHER_PORT' },
  { name: 'retry-scheduler', portName: 'RETRY_SCHEDULER_PORT' },
]);

/**
 * @param {string} name
 * @param {string} [home] holds `dist`; this checkout when missing
 * @returns {string} what node runs
 */
export function appMain(name, home = ROOT) {
  return join(home, 'dist', 'apps', name, 'src', 'main.js');
}

/**
 * @param {App} app
 * @param {{ node: string, port: number, env: NodeJS.ProcessEnv, instance?: number, home?: string }} options `instance`
 *   tells apart the processes of one app; `home` holds `dist`, this checkout when missing
 * @returns {Service}
 */
export function appService({ name }, { node, port, env, instance = 0, home = ROOT }) {
  return {
    name,
    prepare: async () => ({
      command: node,
      args: [...NODE_FLAGS, appMain(name, home)],
      cwd: home,
      env: { ...ALLOCATOR, ...env, PORT: String(port), INSTANCE: `${name}-${instance}` },
    }),
    ready: (signal) => awaitHealth(name, port, '/health/ready', signal),
    stopSignal: 'SIGTERM',
    graceMs: APP_GRACE_MS,
  };
}

/**
 * The receiver to play with.
 *
 * @param {{ node: string, port: number, onOutput: (text: string) => void }} options
 * @returns {Service}
 */
export function echoService({ node, port, onOutput }) {
  const args = [join(ROOT, 'scripts', 'echo.mjs'), String(port)];
  return {
    name: 'echo',
    prepare: async () => ({ command: node, args, cwd: ROOT, onOutput }),
    ready: (signal) => awaitHealth('echo', port, '/', signal),
    stopSignal: 'SIGTERM',
    graceMs: 1_000,
  };
}

/**
 * @param {string} name
 * @param {number} port
 * @param {string} path
 * @param {AbortSignal} signal
 */
async function awaitHealth(name, port, path, signal) {
  const isReady = async () => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return true;
  };
  await until(`${name} is ready`, isReady, { timeoutMs: READY_TIMEOUT_MS, signal });
}
