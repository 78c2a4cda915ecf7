import { connect as connectTcp } from 'node:net';
import { Logger } from '@nestjs/common';
import { type ISocketFactory, Kafka, type LogEntry, logLevel, type SASLOptions } from 'kafkajs';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { KafkaSettings, SaslCredentials } from '../../port/settings.js';
import { patchKafkajs } from '../patches/patch-kafkajs.js';

/** A request without an answer after this time counts as failed. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** A consumer that is stopped during its start waits at most this long for the start to end. */
export const MAX_STARTING_MS = 10_000;

const KEEP_ALIVE_DELAY_MS = 60_000;

/** A kafkajs client with its faults mended and its log lines in ours. */
export function createKafka(settings: KafkaSettings): Kafka {
  patchKafkajs();
  return new Kafka({
    clientId: settings.clientId,
    brokers: [...settings.brokers],
    ...(settings.sasl === undefined ? {} : { sasl: saslOptions(settings.sasl) }),
    connectionTimeout: 3_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => logLine,
    socketFactory: connect,
  });
}

const CREATE_CLUSTER = 'private:Kafka:createCluster';

/**
 * The cluster that `kafka` gives to a consumer of its own, for requests that kafkajs's clients lack. Addresses, timeouts and
 * authentication are those of every other client. It is connected with the first request.
 */
export function clusterOf(kafka: Kafka): Cluster {
  const factories = new Map(Object.getOwnPropertySymbols(kafka).map((symbol) => [symbol.description, symbol]));
  const symbol = factories.get(CREATE_CLUSTER);
  const create: unknown = symbol && Reflect.get(kafka, symbol);
  if (typeof create !== 'function') throw new Error(`this kafkajs has no ${CREATE_CLUSTER}`);
  return create({ allowAutoTopicCreation: false }) as Cluster;
}

/** kafkajs has a type for each mechanism, all of one shape. */
function saslOptions({ mechanism, username, password }: SaslCredentials): SASLOptions {
  return { mechanism: mechanism as 'plain', username, password };
}

/**
 * kafkajs leaves Nagle's algorithm on: a request that follows another one on its connection, as a commit follows a
 * heartbeat, then waits up to 40 ms for the acknowledgement of the first.
 */
export const connect: ISocketFactory = ({ host, port, onConnect }) =>
  connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS }, onConnect);

const logger = new Logger('kafkajs');

/** An error of kafkajs is usually a moving or restarting broker, and kafkajs tries again: here it is a warning. */
function logLine({
  level,
  namespace,
  log: { message, timestamp: _timestamp, logger: _logger, ...rest },
}: LogEntry): void {
  if (level > logLevel.WARN || isReportedByUs(namespace, message)) return;
  logger.warn({ namespace, ...rest }, message);
}

/** A partition that cannot be written is reported once, by the producer that holds it, and not with every try. */
function isReportedByUs(namespace: string, message: string): boolean {
  return namespace === 'Producer' && message.startsWith('Failed to send messages');
}
