import { afterEach, describe, expect, it } from '@jest/globals';
import { kafkaClient } from '#common/kafka/connect.js';
import { clusterOf, createKafka } from '#common/kafka/kafkajs/connection/client.js';
import type { RequestCluster } from '#common/kafka/kafkajs/queries/raw-request.js';
import { topicIdentities } from '#common/kafka/kafkajs/queries/topic-identities.js';
import { logTopic, testSettings } from '../support/kafka-port/recording-consumer.js';
import { until } from '../support/until.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('topicIdentities', () => {
  it('given topics, one of them missing, then the others have ids, partitions and leaders; a recreated one has another id', async () => {
    const settings = testSettings([logTopic('one', 3), logTopic('two')]);
    await kafkaClient(settings).ensureTopics();
    const kafka = createKafka(settings);
    const cluster = clusterOf(kafka);
    cleanups.push(() => cluster.disconnect());
    const [one, two, missing] = ['one', 'two', 'missing'].map((topic) => settings.prefix + topic) as [
      string,
      string,
      string,
    ];

    const found = await topicIdentities(cluster, [one, two, missing]);

    expect([...found.keys()].sort()).toEqual([one, two]);
    expect(found.get(one)).toMatchObject({ partitions: 3, topicId: expect.stringMatching(/^[\w-]{22}$/) });
    expect(found.get(one)?.leaders).toHaveLength(3);
    expect(found.get(one)?.topicId).not.toBe(found.get(two)?.topicId);
    expect(await topicIdentities(cluster, [one])).toEqual(new Map([[one, found.get(one)]]));

    const admin = kafka.admin();
    cleanups.push(() => admin.disconnect());
    await admin.connect();
    await admin.deleteTopics({ topics: [one] });
    await until('the topic is gone', async () => !(await topicIdentities(cluster, [one])).has(one));
    await kafkaClient(settings).ensureTopics();
    await until('the topic is back', async () => (await topicIdentities(cluster, [one])).has(one));
    expect((await topicIdentities(cluster, [one])).get(one)?.topicId).not.toBe(found.get(one)?.topicId);
  });

  it('given a broker older than topic ids, then the id is undefined', async () => {
    const settings = testSettings([logTopic('one', 2)]);
    await kafkaClient(settings).ensureTopics();
    const cluster = clusterOf(createKafka(settings));
    cleanups.push(() => cluster.disconnect());
    const broker = await cluster.brokerPool.findConnectedBroker();
    const versions = { ...broker.versions, 3: { minVersion: 0, maxVersion: 9 } };
    const older = Object.assign(Object.create(broker), { versions }) as typeof broker;

    const asked: RequestCluster = {
      brokerPool: { findConnectedBroker: async () => older },
      findBroker: (of) => cluster.findBroker(of),
    };
    const found = await topicIdentities(asked, [`${settings.prefix}one`]);

    expect(found.get(`${settings.prefix}one`)).toMatchObject({ topicId: undefined, partitions: 2 });
  });
});
