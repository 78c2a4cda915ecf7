import { afterEach, describe, expect, it } from '@jest/globals';
import { kafkaClient } from '#common/kafka/connect.js';
import { logTopic, testSettings } from '../support/kafka-port/recording-consumer.js';
import { counted, Opened, publish } from '../support/log-readers.js';
import { until } from '../support/until.js';

/*
 * A missing topic stops only the work that needs it (docs/adr/0025).
 */

const opened = new Opened();
afterEach(() => opened.close());

describe('a missing topic', () => {
  it('given a consumer of two topics, when one is deleted, then the other continues without a rebalance, and both later', async () => {
    const settings = testSettings([logTopic('log'), logTopic('other')]);
    await kafkaClient(settings).ensureTopics();
    const reader = await opened.consume(settings, ['log', 'other']);
    await until('both are owned', () => reader.owned.length === 2);
    const admin = await opened.adminOf(settings);
    await admin.deleteTopics({ topics: [`${settings.prefix}other`] });
    await until('the topic is lost', () => reader.lost.length === 1, 10_000);

    const askedAt = Date.now();
    await publish(settings, ['alone']);
    await until('the other is read', () => reader.values().includes('alone'));
    expect(Date.now() - askedAt).toBeLessThan(3_000);

    await kafkaClient(settings).ensureTopics();
    await publish(settings, ['back'], 'other');
    await until('the new one is read', () => reader.values().includes('back'), 10_000);
    expect(reader.rebalancings).toBe(0);
  });

  it('given a missing topic at the start, then the consumer reads the other topic, and both once the topic exists', async () => {
    const settings = testSettings([logTopic('log'), logTopic('other')]);
    await kafkaClient({ ...settings, topics: settings.topics.slice(0, 1) }).ensureTopics();
    await publish(settings, ['first']);
    const reader = await opened.consume(settings, ['log', 'other']);
    await until('the one is read', () => reader.values().includes('first'));

    await kafkaClient(settings).ensureTopics();
    await publish(settings, ['second'], 'other');
    await until('the other is read', () => reader.values().includes('second'), 15_000);
  });
});

describe('TopicKeeper', () => {
  it('given a deleted topic, then it is created again as configured, once, and counted', async () => {
    const settings = testSettings([logTopic('log', 3), logTopic('other')]);
    await kafkaClient(settings).ensureTopics();
    const keepers = [kafkaClient(settings).topicKeeper(), kafkaClient(settings).topicKeeper()];
    for (const keeper of keepers) {
      keeper.start();
      opened.add(() => keeper.stop());
    }
    const admin = await opened.adminOf(settings);
    const before = await counted('posthorn_topics_recreated_total', 'log');
    await until('the ids are known', () => keepers.every((keeper) => keeper.idOf('log') !== undefined));
    const [id, otherId] = [keepers[0]?.idOf('log'), keepers[0]?.idOf('other')];
    await admin.deleteTopics({ topics: [`${settings.prefix}log`] });

    await until('the keepers see another topic', () => keepers.every((each) => each.idOf('log') !== id), 15_000);
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${settings.prefix}log`] });
    expect(topics[0]?.partitions).toHaveLength(3);
    await expect(kafkaClient(settings).ensureTopics()).resolves.toBeUndefined();
    expect((await counted('posthorn_topics_recreated_total', 'log')) - before).toBe(1);
    expect(keepers[0]?.idOf('other')).toBe(otherId);
  });
});

describe('RecordProducer', () => {
  it('given a missing topic, then writes to another topic succeed, and its own once the topic exists', async () => {
    const settings = testSettings([logTopic('log'), logTopic('gone')]);
    await kafkaClient(settings).ensureTopics();
    const producer = kafkaClient(settings).producer();
    await producer.connect();
    opened.add(() => producer.close());
    await producer.write(['log', 'gone'].map((topic) => ({ topic, key: 'k', value: 'before' })));
    const admin = await opened.adminOf(settings);
    await admin.deleteTopics({ topics: [`${settings.prefix}gone`] });
    await until('the topic is gone', async () => !(await admin.listTopics()).includes(`${settings.prefix}gone`));

    const waiting = producer.write([{ topic: 'gone', key: 'k', value: 'waits' }]);
    await producer.write([{ topic: 'log', key: 'k', value: 'first' }]);
    const startedAt = Date.now();
    await producer.write([{ topic: 'log', key: 'k', value: 'second' }]);
    expect(Date.now() - startedAt).toBeLessThan(500);

    await kafkaClient(settings).ensureTopics();
    await waiting;
    const [end] = await admin.fetchTopicOffsets(`${settings.prefix}gone`);
    expect(end?.high).toBe('1');
  });
});
