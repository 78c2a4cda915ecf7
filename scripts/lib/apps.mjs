import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { until } from './until.mjs';

/**
 * V8 options, as in the image (deploy/Dockerfile). They keep the old generation compact: without them, a process with
 * thousands of records per second grows to twice the size. With a limit alone, V8 would mark the whole heap after each
 * growth of 30 %. A smaller young generation would copy short-lived records twice as often (docs/performance.md).
 */
const NODE_FLAGS = [
  '--enable-source-maps',
  '--max-semi-space-size=16',
  '--max-old-space-size=192',
  '--heap-growing-percent=50',
];
/** Limits glibc's memory arenas: the default gives each of a dozen threads its own. Also in the image. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '2' };
const READY_TIMEOUT_MS = 60_000;
/** Grace time of an app: enough to finish attempts in flight. With that of the servers, a stop takes less than 15 s. */
const APP_GRACE_MS = 8_000;

/** @typedef {import('./server.mjs').Service} Service */
/** @typedef {{ name: string, portName: import('./settings.mjs').PortName }} App */

/** Control starts first: it migrates the database, and publishes the API key that the other apps wait for. */
export const CONTROL = /** @type {const} @satisfies {App} */ ({ name: 'control', portName: 'CONTROL_PORT' });

export const WORKERS = /** @type {const} @satisfies {readonly App[]} */ ([
  { name: 'ingest', portName: 'INGEST_PORT' },
  { name: 'dispatcher', portName: 'DISPATCHER_PORT' },
  { name: 'retry-scheduler', portName: 'RETRY_SCHEDULER_PORT' },
]);

/**
 * @param {string} name
 * @param {string} [home] folder of `dist`; this checkout by default
 * @returns {string} path of the app's main file
 */
export function appMain(name, home = ROOT) {
  return join(home, 'dist', 'apps', name, 'src', 'main.js');
}

/**
 * @param {App} app
 * @param {{ node: string, port: number, env: NodeJS.ProcessEnv, instance?: number, home?: string }} options `instance`
 *   distinguishes processes of one app; `home` is the folder of `dist`, by default this checkout
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
 * The echo receiver (scripts/echo.mjs).
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
