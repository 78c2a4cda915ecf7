import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { KafkajsClient } from '#common/kafka/kafkajs/kafkajs-client.js';
import { FetchedRecords } from '#common/kafka/kafkajs/wire/fetched-records.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { describeConsumer } from '../support/kafka-port/consumer.js';
import { numbers, PortBench } from '../support/kafka-port/port-bench.js';
import { describeProducer } from '../support/kafka-port/producer.js';
import { testSettings } from '../support/kafka-port/recording-consumer.js';
import { describeTable } from '../support/kafka-port/table.js';
import { describeTopics } from '../support/kafka-port/topics.js';

/*
 * The duties of the Kafka port (kafka/port/kafka-client.ts) on a real broker. Another client may take kafkajs's place when it
 * passes: add it here, and choose it in kafka/connect.ts.
 */

const CLIENTS: readonly [string, (settings: KafkaSettings) => KafkaClient][] = [
  ['kafkajs', (settings) => new KafkajsClient(settings)],
];

describe.each(CLIENTS)('the Kafka port over %s', (_, connect) => {
  const bench = new PortBench(connect);
  afterEach(() => bench.close());

  describeTopics(bench);
  describeProducer(bench);
  describeConsumer(bench);
  describeTable(bench);
});

/** Longer than a fetch waits for records. */
const QUIET_MS = 1_500;

describe('kafkajs beneath the port', () => {
  const bench = new PortBench((settings) => new KafkajsClient(settings));
  afterEach(() => bench.close());
  const compacted = { topic: 'table', partitions: 1, config: { 'cleanup.policy': 'compact' } };

  it('given many batches, then each record is read once, also without new records', async () => {
    const settings = await bench.prepared(testSettings([compacted]));
    const writer = await bench.producer(settings);
    for (const key of numbers(300)) await writer.write([{ topic: 'table', key, value: key }]);
    const read = jest.spyOn(FetchedRecords.prototype, 'read');
    const table = bench.connect(settings).table({ topic: 'table', apply: () => undefined });
    bench.cleanups.push(() => table.stop());
    const count = async () => {
      const fetches = await Promise.all(
        read.mock.results.map(({ value }) => value as ReturnType<FetchedRecords['read']>),
      );
      return fetches.reduce((sum, { records }) => sum + records.length, 0);
    };

    await table.start();
    await delay(QUIET_MS);

    expect(await count()).toBe(300);
    read.mockRestore();
  });
});
