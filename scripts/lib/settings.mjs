import { resolve } from 'node:path';
import { homePaths, ROOT } from './paths.mjs';

/** Default ports of a local system, by variable. */
const DEFAULT_PORTS = {
  INGEST_PORT: 4000,
  CONTROL_PORT: 4001,
  DISPATCHER_PORT: 4002,
  RETRY_SCHEDULER_PORT: 4003,
  ECHO_PORT: 4010,
  KAFKA_PORT: 4092,
  KAFKA_CONTROLLER_PORT: 4093,
  POSTGRES_PORT: 4432,
};

/** @typedef {keyof typeof DEFAULT_PORTS} PortName */

/** A setting the user must change; shown without a stack. */
export class UserError extends Error {}

/**
 * Reads the settings of a local system.
 *
 * @param {NodeJS.ProcessEnv} env
 * @throws UserError naming the invalid variable
 */
export function readSettings(env) {
  const ports = /** @type {Record<PortName, number>} */ ({});
  for (const [name, fallback] of Object.entries(DEFAULT_PORTS)) {
    ports[/** @type {PortName} */ (name)] = readPort(name, env[name], fallback);
  }
  const settings = {
    paths: homePaths(resolve(env.POSTHORN_HOME || resolve(ROOT, '.posthorn'))),
    ports,
    /** Existing brokers; without them, a broker is started. */
    kafkaBrokers: env.KAFKA_BROKERS ? env.KAFKA_BROKERS.split(',').map((broker) => broker.trim()) : undefined,
    /** Existing database; without one, a server is started. */
    databaseUrl: env.DATABASE_URL || undefined,
  };
  refuseTwins(usedPorts(settings));
  return settings;
}

/** @typedef {ReturnType<typeof readSettings>} Settings */

/**
 * The ports that this system listens on, without those of existing servers.
 *
 * @param {Pick<Settings, 'ports' | 'kafkaBrokers' | 'databaseUrl'>} settings
 * @returns {[PortName, number][]}
 */
export function usedPorts({ ports, kafkaBrokers, databaseUrl }) {
  const all = /** @type {[PortName, number][]} */ (Object.entries(ports));
  return all.filter(([name]) => {
    if (name.startsWith('KAFKA_')) return !kafkaBrokers;
    return name !== 'POSTGRES_PORT' || !databaseUrl;
  });
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} fallback
 */
function readPort(name, text, fallback) {
  if (text === undefined || text === '') return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new UserError(`${name} must be a port number from 1 to 65535, not "${text}"`);
}

/** @param {[PortName, number][]} ports */
function refuseTwins(ports) {
  for (const [index, [name, port]] of ports.entries()) {
    const twin = ports.slice(0, index).find(([, other]) => other === port);
    if (twin) throw new UserError(`${twin[0]} and ${name} are both ${port}`);
  }
}
