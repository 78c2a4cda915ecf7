import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs';
import { testBrokers } from './servers.js';

/** A transactional producer of somebody else's, made with plain kafkajs. */
export async function transactionalProducer(brokers = testBrokers()): Promise<Producer> {
  const client = new Kafka({ clientId: 'their-producer', brokers, logLevel: logLevel.NOTHING });
  const transactionalId = `tx-${randomUUID()}`;
  const producer = client.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  return producer;
}

/** Writes records in one transaction and ends it. */
export async function transact(
  producer: Producer,
  topic: string,
  end: 'commit' | 'abort',
  messages: readonly Message[],
): Promise<void> {
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [...messages] });
  await transaction[end]();
}

/** As many records of 1 KB under one key. */
export function largeRecords(key: string, count: number): Message[] {
  return Array.from({ length: count }, (_, index) => ({ key, value: `${key}-${index}`.padEnd(1_000, '.') }));
}
