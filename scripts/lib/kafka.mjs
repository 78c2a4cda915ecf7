import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { javaCommand } from './java.mjs';
import { KAFKA_LIBS } from './kafka-libs.mjs';
import { saslOf } from './kafka-sasl.mjs';
import { freePort } from './ports.mjs';
import { Server } from './server.mjs';
import { until } from './until.mjs';

const READY_TIMEOUT_MS = 90_000;
const GRACE_MS = 4_000;

/**
 * @typedef {object} KafkaOptions
 * @property {string} dir folder of data, configuration and log
 * @property {number} port of the listener for clients
 * @property {number} [controllerPort] port of the controller listener; by default a free one
 * @property {number} [heapMb]
 * @property {Proxied} [proxied] a second listener
 * @property {Membership} [membership] place in the cluster; by default the node is the only one
 * @property {Sasl} [sasl] a listener with authentication; ACLs apply to its clients
 */

/**
 * Passwords by user name. The user `admin` and clients of other listeners have all rights.
 *
 * @typedef {{ port: number, users: Readonly<Record<string, string>> }} Sasl
 */

/**
 * A listener that advertises another port: that of a proxy.
 *
 * @typedef {{ port: number, advertisedPort: number }} Proxied
 */

/**
 * The place of a node in a cluster of several.
 *
 * @typedef {object} Membership
 * @property {string} clusterId 16 bytes in base64url, the same for all nodes
 * @property {number} nodeId from 1
 * @property {readonly number[]} controllerPorts of all nodes, by node id
 */

/**
 * One Kafka node (KRaft, broker and controller in one process) on the loopback address.
 *
 * @param {KafkaOptions} options
 * @returns {import('./server.mjs').Service}
 */
export function kafkaService({ dir, port, controllerPort, heapMb = 512, proxied, membership, sasl }) {
  const home = resolve(dir);
  const java = javaCommand(process.env);
  const jvm = ['-cp', join(KAFKA_LIBS, '*'), '-Dorg.slf4j.simpleLogger.showDateTime=true'];
  return {
    name: 'kafka',
    prepare: async () => {
      const nodes = membership ?? aloneAt(controllerPort ?? (await freePort()));
      const settings = { ...listenerSettings(port, nodes, proxied), ...clusterSettings(nodes) };
      const config = await writeConfig(home, sasl ? withSasl(settings, sasl) : settings);
      formatOnce(home, config, nodes.clusterId, [java, ...jvm]);
      const broker = [...heapOf(heapMb), ...BROKER, ...jvm, 'kafka.Kafka', config];
      return { command: java, args: broker, cwd: home };
    },
    ready: (signal) => awaitKafka([`127.0.0.1:${port}`], signal),
    stopSignal: 'SIGTERM',
    graceMs: GRACE_MS,
  };
}

/**
 * At level `info`, a broker logs many lines per topic. The serial collector suffices for a small heap: the start costs
 * 7 s of CPU instead of 9 (measured).
 */
const BROKER = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Djava.awt.headless=true',
  '-XX:+UseSerialGC',
  // The second JIT compiler would double the broker's CPU in its first minutes, and need more memory
  // (docs/performance.md).
  '-XX:TieredStopAtLevel=1',
];

/**
 * A young collection stops a broker for 10 to 25 ms, at any load. A larger young generation halves their number. Its
 * memory comes from the log cleaner (`log.cleaner.dedupe.buffer.size`).
 *
 * @param {number} heapMb
 * @returns {string[]}
 */
function heapOf(heapMb) {
  return [`-Xms${Math.min(heapMb, 256)}m`, `-Xmx${heapMb}m`, `-Xmn${Math.min(Math.round(heapMb / 3), 160)}m`];
}

/**
 * Starts a broker and waits until consumers can join groups.
 *
 * @param {KafkaOptions} options
 * @returns {Promise<Server & { brokers: string[] }>} with `stop`, `kill`, `start` and `restart`
 */
export async function startKafka(options) {
  const server = new Server(kafkaService(options), join(options.dir, 'kafka.log'));
  await server.start();
  return Object.assign(server, { brokers: [`127.0.0.1:${options.port}`] });
}

/**
 * Waits until the brokers answer and group coordination works. The first group causes the creation of
 * `__consumer_offsets`, which takes seconds.
 *
 * @param {string[]} brokers
 * @param {AbortSignal} [signal]
 * @param {NodeJS.ProcessEnv} [env] has user name and password, if the brokers require them
 */
export async function awaitKafka(brokers, signal, env = {}) {
  const { Kafka, logLevel } = (await import('kafkajs')).default;
  hideTimerWarning();
  // kafkajs fetches the list of brokers only after a failed coordinator lookup, so the client must retry.
  const retry = { retries: 3, initialRetryTime: 50, maxRetryTime: 100 };
  const client = new Kafka({ clientId: 'posthorn-start', brokers, ...saslOf(env), logLevel: logLevel.NOTHING, retry });
  const isServing = async () => {
    const admin = client.admin();
    try {
      await admin.connect();
      await admin.fetchOffsets({ groupId: 'posthorn-start', topics: [] });
      return true;
    } finally {
      await admin.disconnect();
    }
  };
  await until(`Kafka at ${brokers.join(',')} serves`, isServing, { timeoutMs: READY_TIMEOUT_MS, everyMs: 150, signal });
}

/** Suppresses Node's warning about kafkajs's timers with negative delays. */
function hideTimerWarning() {
  const [print] = process.listeners('warning');
  if (!print || print.name === 'printOthers') return;
  process.removeListener('warning', print);
  process.on('warning', function printOthers(warning) {
    if (warning.name !== 'TimeoutNegativeWarning') print(warning);
  });
}

/**
 * @param {number} controllerPort
 * @returns {Membership}
 */
function aloneAt(controllerPort) {
  return { clusterId: newClusterId(), nodeId: 1, controllerPorts: [controllerPort] };
}

/** @returns {string} a random cluster id */
export function newClusterId() {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
}

/**
 * @param {number} port
 * @param {Membership} membership
 * @param {Proxied} [proxied]
 */
function listenerSettings(port, { nodeId, controllerPorts }, proxied) {
  const own = `PLAINTEXT://127.0.0.1:${port}`;
  const controller = `CONTROLLER://127.0.0.1:${controllerPorts[nodeId - 1]}`;
  const proxiedListener = proxied ? [`PROXIED://127.0.0.1:${proxied.port}`] : [];
  const proxiedClients = proxied ? [`PROXIED://127.0.0.1:${proxied.advertisedPort}`] : [];
  return {
    listeners: [own, controller, ...proxiedListener].join(','),
    'advertised.listeners': [own, ...proxiedClients].join(','),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
  };
}

/**
 * @param {Record<string, string | number>} settings
 * @param {Sasl} sasl
 */
function withSasl(settings, { port, users }) {
  const listener = `SASL://127.0.0.1:${port}`;
  const entries = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`);
  return {
    ...settings,
    listeners: `${settings.listeners},${listener}`,
    'advertised.listeners': `${settings['advertised.listeners']},${listener}`,
    'listener.security.protocol.map': `${settings['listener.security.protocol.map']},SASL:SASL_PLAINTEXT`,
    'sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.sasl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${entries.join(' ')};`,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:admin',
  };
}

/**
 * A cluster of three keeps three replicas, and acknowledges records that two have.
 *
 * @param {Membership} membership
 */
function clusterSettings({ nodeId, controllerPorts }) {
  const copies = Math.min(controllerPorts.length, 3);
  const enough = Math.max(copies - 1, 1);
  return {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    'controller.quorum.voters': controllerPorts.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join(','),
    'min.insync.replicas': enough,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': enough,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': enough,
  };
}

/**
 * @param {string} home
 * @param {Record<string, string | number>} node settings of this node
 * @returns {Promise<string>} the file written
 */
async function writeConfig(home, node) {
  const settings = {
    ...node,
    'log.dirs': join(home, 'data'),
    // The apps create their topics. Without auto-creation, a misspelt name is an error.
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 8,
    'group.initial.rebalance.delay.ms': 0,
    // A killed broker can register only after the session of its former run expired. The default is 9 s.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    // By default, an idle controller writes a no-op record, and syncs the disk, twice a second.
    'metadata.max.idle.interval.ms': 10_000,
    // The default of 128 MB is most of a small heap. This size is enough for a million keys.
    'log.cleaner.dedupe.buffer.size': 33_554_432,
  };
  await mkdir(home, { recursive: true });
  const file = join(home, 'server.properties');
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(file, lines.join(''));
  return file;
}

/**
 * Formats the storage with its cluster id, once.
 *
 * @param {string} home
 * @param {string} config
 * @param {string} clusterId
 * @param {string[]} java command and arguments before the class
 */
function formatOnce(home, config, clusterId, [command = 'java', ...args]) {
  const data = join(home, 'data');
  if (existsSync(join(data, 'meta.properties')) && existsSync(join(data, 'bootstrap.checkpoint'))) return;
  const format = [
    'kafka.tools.StorageTool',
    'format',
    `--cluster-id=${clusterId}`,
    '--config',
    config,
    '--ignore-formatted',
  ];
  const { status, stdout, stderr, error } = spawnSync(command, [...args, ...format], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Kafka's storage could not be formatted: ${error?.message ?? stdout + stderr}`);
}
