import { connect as connectTcp } from 'node:net';
import { Logger } from '@nestjs/common';
import { type ISocketFactory, Kafka, type LogEntry, logLevel } from 'kafkajs';
import { patchKafkajs } from './kafkajs-patches.js';
import type { RequestCluster } from './raw-request.js';
import type { KafkaSettings } from './settings.js';

/** What a broker has not answered after this long counts as failed. */
export const REQUEST_TIMEOUT_MS = 10_000;

const KEEP_ALIVE_DELAY_MS = 60_000;

/** A kafkajs client with its faults mended and its log lines in ours. */
export function createKafka(settings: KafkaSettings): Kafka {
  patchKafkajs();
  return new Kafka({
    clientId: settings.clientId,
    brokers: [...settings.brokers],
    connectionTimeout: 3_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => logLine,
    socketFactory: connect,
  });
}

/** Connections of their own for requests that kafkajs does not know. They are opened with the first request. */
export interface OwnCluster extends RequestCluster {
  disconnect(): Promise<void>;
}

/** The cluster that `kafka` would give to a consumer of its own: kafkajs keeps what makes one under a symbol. */
export function clusterOf(kafka: Kafka): OwnCluster {
  const key = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const makers = kafka as unknown as Record<symbol, ((options: object) => OwnCluster) | undefined>;
  const make = key && makers[key];
  if (make === undefined) throw new Error('kafkajs makes its clusters in another way');
  return make({ allowAutoTopicCreation: false });
}

/**
 * kafkajs leaves Nagle's algorithm on: a request that follows another one on its connection, as a commit follows a
 * heartbeat, then waits up to 40 ms for the acknowledgement of the first.
 */
export const connect: ISocketFactory = ({ host, port, onConnect }) =>
  connectTcp({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS }, onConnect);

const logger = new Logger('kafkajs');

/** What kafkajs calls an error is usually a broker that moves or restarts, and is tried again: a warning here. */
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
