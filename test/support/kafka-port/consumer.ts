import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import kafkajs, { Kafka, logLevel } from 'kafkajs';
import { register } from 'prom-client';
import { encodeCommit } from '#common/domain/commit-metadata.js';
import { type FencedLog, RecordsGoneError } from '#common/kafka/port/owned-log.js';
import { testBrokers } from '../servers.js';
import { until } from '../until.js';
import { GROUP, numbers, type PortBench } from './port-bench.js';
import { logTopic, testSettings } from './recording-consumer.js';

/** Records finish out of order; ownership, commits and losses are exact. */
export function describeConsumer({ admin, cleanups, committedOffsets, consumer, prepared, publish }: PortBench): void {
  describe('LogConsumer', () => {
    it('given a compressed batch that kafkajs cannot read, then its records are read', async () => {
      const { CompressionCodecs, CompressionTypes } = kafkajs;
      const theirCodec = CompressionCodecs[CompressionTypes.ZSTD];
      CompressionCodecs[CompressionTypes.ZSTD] = () => ({
        compress: async (encoder: { buffer: Buffer }) => zstdCompressSync(encoder.buffer),
        decompress: () => Promise.reject(new Error('the broker left the batch compressed')),
      });
      cleanups.push(async () => {
        CompressionCodecs[CompressionTypes.ZSTD] = theirCodec;
      });
      const settings = await prepared(testSettings([logTopic('log')]));
      const theirs = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).producer();
      await theirs.connect();
      cleanups.push(() => theirs.disconnect());
      const messages = numbers(100).map((value) => ({ key: 'k', value }));
      await theirs.send({ topic: `${settings.prefix}log`, compression: CompressionTypes.ZSTD, messages });

      const reader = await consumer(settings, GROUP);

      await until('all are read', () => reader.records.length === 100);
      expect(reader.values()).toEqual(numbers(100));
    });

    it('given records finished out of order, when another consumer takes over, then it gets only the unfinished ones', async () => {
      const settings = await prepared(testSettings([logTopic('log')]));
      await publish(settings, numbers(10));
      const finished = new Set(['0', '1', '4', '5', '8']);
      const first = await consumer(settings, GROUP, (log, record) => {
        if (finished.has(String(record.value))) log.finish(record.offset);
      });
      await until('all are read', () => first.records.length === 10);
      await first.stop();

      const committed = await committedOffsets(settings);
      const { topicId } = first.owned[0]?.identity ?? {};
      expect(topicId).toMatch(/^[\w-]{22}$/);
      const log = { topicId, leaderEpoch: 0, evidence: undefined };
      expect(committed[0]).toMatchObject({ offset: '2', metadata: encodeCommit(log, 2, [4, 5, 8]) });

      const second = await consumer(settings, GROUP);
      await until('the rest is read', () => second.records.length === 5);
      await publish(settings, ['10']);
      await until('the new one is read', () => second.values().includes('10'));
      expect(second.values()).toEqual(['2', '3', '6', '7', '9', '10']);
    });

    it('given a second consumer, then partitions are shared, kept ones are not handed out again, and lost ones are reported', async () => {
      const settings = await prepared(testSettings([logTopic('log', 4)]));
      for (const key of numbers(40)) await publish(settings, [key], key);
      const first = await consumer(settings, GROUP, () => undefined);
      await until('all are read', () => first.records.length === 40);

      const second = await consumer(settings, GROUP);
      await until('the partitions are shared', () => second.owned.length === 2 && first.lost.length === 2);
      const movedPartitions = new Set(second.owned.map(({ partition }) => partition));
      const moved = first.records.filter(({ partition }) => movedPartitions.has(partition));
      await until('the moved ones are read again', () => second.records.length === moved.length);

      for (const key of numbers(40, 40)) await publish(settings, [key], key);
      await until('the new ones are read', () => first.records.length + second.records.length === 80 + moved.length);
      expect(new Set(first.values()).size).toBe(first.records.length);
      expect(first.lost.every(({ lost }) => lost.aborted)).toBe(true);
    });

    it('given a lost partition, when one of its records is finished late, then no offset of it is committed', async () => {
      const settings = await prepared(testSettings([logTopic('log', 2)]));
      for (const key of numbers(20)) await publish(settings, [key], key);
      const first = await consumer(settings, GROUP, () => undefined);
      await until('all are read', () => first.records.length === 20);
      const second = await consumer(settings, GROUP, () => undefined);
      await until('one partition is lost', () => first.lost.length === 1);

      const [gone] = first.lost;
      for (const { partition, offset } of first.records) if (partition === gone?.partition) gone.finish(offset);
      await first.stop();
      await second.stop();

      const committed = await committedOffsets(settings);
      expect(committed.find(({ partition }) => partition === gone?.partition)?.offset).toMatch(/^(0|-1)$/);
    });

    it('given records that left the log unread, then the loss is counted, and later records are read', async () => {
      const settings = await prepared(testSettings([logTopic('log')]));
      await publish(settings, numbers(10));
      const first = await consumer(settings, GROUP, (log, { offset }) => {
        if (offset < 3) log.finish(offset);
      });
      await until('all are read', () => first.records.length === 10);
      await first.stop();
      const client = await admin();
      await client.fetchTopicOffsets(`${settings.prefix}log`);
      await client.deleteTopicRecords({ topic: `${settings.prefix}log`, partitions: [{ partition: 0, offset: '7' }] });

      const second = await consumer(settings, GROUP);
      await until('the rest is read', () => second.records.length === 3);

      expect(second.values()).toEqual(['7', '8', '9']);
      const metric = await register.getSingleMetric('posthorn_log_lost_records_total')?.get();
      expect(metric?.values.find(({ labels }) => labels.topic === `${settings.prefix}log`)?.value).toBe(4);
    });

    it('given records that were handed over, then they are read again from any offset, and the position stays', async () => {
      const settings = await prepared(testSettings([logTopic('log')]));
      await publish(settings, numbers(5));
      const reader = await consumer(settings, GROUP, (log, { offset }) => log.finish(offset));
      await until('all are read', () => reader.records.length === 5);
      const log = reader.owned[0] as FencedLog | undefined;
      const again = await log?.readAgain(2);
      expect(again?.records.map(({ value }) => String(value))).toEqual(['2', '3', '4']);
      expect(again?.next).toBe(5);
      await publish(settings, ['later']);
      await until('the next is read', () => reader.records.length === 6);
      expect(reader.values().at(-1)).toBe('later');

      const client = await admin();
      await client.fetchTopicOffsets(`${settings.prefix}log`);
      await client.deleteTopicRecords({ topic: `${settings.prefix}log`, partitions: [{ partition: 0, offset: '4' }] });
      await expect(log?.readAgain(2)).rejects.toBeInstanceOf(RecordsGoneError);
    });

    it('given a pause longer than the session, then no record is handed out, no member is evicted, and reading resumes', async () => {
      const settings = await prepared(testSettings([logTopic('log')], { sessionTimeoutMs: 6_000 }));
      await publish(settings, ['first']);
      const reader = await consumer(settings, GROUP, (log, record) => {
        log.finish(record.offset);
        if (String(record.value) === 'first') log.pause();
      });
      await until('the first is read', () => reader.records.length === 1);
      await publish(settings, ['second']);
      const pausedAt = Date.now();
      await until('two sessions are over', () => Date.now() - pausedAt > 12_000);
      expect(reader.values()).toEqual(['first']);
      const lag = await register.getSingleMetric('posthorn_consumer_lag_records')?.get();
      expect(lag?.values.find(({ labels }) => labels.topic === 'log')?.value).toBe(1);

      reader.owned[0]?.resume();
      await until('the second is read', () => reader.records.length === 2);
      expect(reader.rebalancings).toBe(0);
      expect(reader.lost).toHaveLength(0);
    });

    it('given an event loop that hangs for most of a session, then no member is evicted', async () => {
      const settings = await prepared(testSettings([logTopic('log')], { sessionTimeoutMs: 10_000 }));
      const reader = await consumer(settings, GROUP);
      await publish(settings, ['before']);
      await until('the first is read', () => reader.records.length === 1);

      const hangUntil = Date.now() + 4_000;
      while (Date.now() < hangUntil);

      await publish(settings, ['after']);
      await until('the second is read', () => reader.records.length === 2);
      expect(reader.lost).toHaveLength(0);
    });

    it('given a handler that throws, then onFatal is called', async () => {
      const fatal: Error[] = [];
      const settings = await prepared(testSettings([logTopic('log')], { onFatal: (error) => void fatal.push(error) }));
      await publish(settings, ['bad']);
      await consumer(settings, GROUP, () => {
        throw new Error('handler is broken');
      });

      await until('onFatal is called', () => fatal.length === 1);
      expect(fatal[0]?.message).toBe('handler is broken');
    });

    it('given a killed process of the same name, then its successor does not wait for the end of the session', async () => {
      const named = { clientId: 'posthorn-dispatcher-0', sessionTimeoutMs: 45_000 };
      const settings = await prepared(testSettings([logTopic('log')], named));
      await publish(settings, ['one']);
      await consumer(settings, GROUP, () => undefined);

      const startedAt = Date.now();
      const successor = await consumer(settings, GROUP);
      await until('the successor reads', () => successor.records.length === 1, 15_000);
      expect(Date.now() - startedAt).toBeLessThan(15_000);
    });
  });
}
