import { describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import { KafkaUnavailableError, RecordTooLargeError } from '#common/kafka/port/record-writer.js';
import { testBrokers } from '../servers.js';
import { until } from '../until.js';
import { GROUP, numbers, type PortBench } from './port-bench.js';
import { logTopic, testSettings } from './recording-consumer.js';

/** Writes are stored in order, on the partition of their key. */
export function describeProducer({ cleanups, connect, consumer, prepared, producer, publish }: PortBench): void {
  describe('RecordProducer', () => {
    it('given many writes at once, then all are stored, in order', async () => {
      const settings = await prepared(testSettings([logTopic('log')]));
      const writer = await producer(settings);

      await Promise.all(numbers(500).map((value) => writer.write([{ topic: 'log', key: 'k', value }])));

      const reader = await consumer(settings, GROUP);
      await until('all are read', () => reader.records.length === 500);
      expect(reader.values()).toEqual(numbers(500));
    });

    it('given a key, then its record is on the partition by murmur2, as with other clients', async () => {
      const settings = await prepared(testSettings([logTopic('log', 5)]));
      const theirs = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).producer();
      await theirs.connect();
      cleanups.push(() => theirs.disconnect());
      for (const key of numbers(20)) {
        await theirs.send({ topic: `${settings.prefix}log`, messages: [{ key, value: 'theirs' }] });
        await publish(settings, ['ours'], key);
      }

      const reader = await consumer(settings, GROUP);
      await until('all are read', () => reader.records.length === 40);
      for (const record of reader.records) expect(record.partition).toBe(partitionOf(record.key ?? '', 5));
    });

    it('given one record too large for its topic, then only that record is rejected', async () => {
      const settings = await prepared(testSettings([logTopic('log')]));
      const writer = await producer(settings);
      const large = writer.write([{ topic: 'log', key: 'k', value: Buffer.alloc(2_000_000) }]);
      const small = writer.write([{ topic: 'log', key: 'k', value: 'small' }]);

      await expect(large).rejects.toThrow(RecordTooLargeError);
      await expect(small).resolves.toBeUndefined();
    });

    it('given no broker, when the time is up, then the outcome is unknown', async () => {
      const settings = testSettings([logTopic('log')], { brokers: ['127.0.0.1:1'] });
      const writer = connect(settings).producer();
      cleanups.push(() => writer.close(100));

      await expect(writer.write([{ topic: 'log', key: 'k', value: 'v' }], { timeoutMs: 300 })).rejects.toThrow(
        KafkaUnavailableError,
      );
    });
  });
}
