import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs, { type Admin, type Consumer, Kafka, logLevel, type PartitionAssigner } from 'kafkajs';
import { kafkaClient } from '../../scripts/lib/kafka-client.js';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';
import { until } from '../support/until.js';

/** Of `deliveries`, as the apps of the cluster are configured. */
const PARTITIONS = 8;

let cluster: Cluster;
let admin: Admin;

beforeAll(async () => {
  cluster = await Cluster.start({ STALL_SECONDS: '10' });
  admin = kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }).admin();
  await admin.connect();
}, 240_000);

afterAll(async () => {
  await admin?.disconnect();
  await cluster?.stop();
}, 90_000);

/** As Java's clients: a protocol that kafkajs does not speak. */
const range: PartitionAssigner = (config) => {
  const assigner = kafkajs.PartitionAssigners.roundRobin(config);
  return { ...assigner, name: 'range', protocol: (topics) => ({ ...assigner.protocol(topics), name: 'range' }) };
};

async function stranger(groupId: string, topic: string, assigners?: PartitionAssigner[]): Promise<Consumer> {
  const client = new Kafka({ clientId: 'stranger', brokers: cluster.kafka.brokers, logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId, ...(assigners === undefined ? {} : { partitionAssigners: assigners }) });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  await consumer.run({ eachMessage: async () => undefined });
  return consumer;
}

async function expectAllDelivered(traffic: OrderedTraffic): Promise<void> {
  await traffic.complete();
  traffic.close();
  expect(traffic.disorder).toBe(0);
}

describe('another program in a consumer group of Posthorn', () => {
  it.each([
    ['router', 'ingest', 'ingest'],
    ['dispatcher', 'deliveries', 'dispatcher'],
  ] as const)(
    'given that it joins %s, then it gets no partition, and readiness names it',
    async (group, topic, app) => {
      const traffic = await OrderedTraffic.start(cluster, { resources: 40, rounds: 2 });
      const other = await stranger(group, topic);
      await cluster.untilReadinessSays(app, 'members of another program, which get no partition: stranger-');
      await traffic.publish();
      await expectAllDelivered(traffic);
      await other.disconnect();
      await until('the warning ends', async () => !(await cluster.readiness(app)).includes('another program'));
    },
    240_000,
  );

  it('given that it leads the group, then the app is not ready, and names it', async () => {
    await cluster.app('dispatcher').server.stop();
    const other = await stranger('dispatcher', 'deliveries');
    const started = cluster.app('dispatcher').server.start();
    await cluster.untilReadinessSays('dispatcher', 'which is another program').finally(() => other.disconnect());
    await started;
    const traffic = await OrderedTraffic.start(cluster, { resources: 40, rounds: 2 });
    await traffic.publish();
    await expectAllDelivered(traffic);
  }, 240_000);
});

describe('a group whose members speak another protocol', () => {
  it('given that the app joins last, then it names the group, and joins when they have left', async () => {
    await cluster.app('dispatcher').server.stop();
    const other = await stranger('dispatcher', 'deliveries', [range]);
    const started = cluster.app('dispatcher').server.start();
    await cluster
      .untilReadinessSays('dispatcher', 'has only members of another program')
      .finally(() => other.disconnect());
    await started;
    const traffic = await OrderedTraffic.start(cluster, { resources: 40, rounds: 2 });
    await traffic.publish();
    await expectAllDelivered(traffic);
  }, 240_000);
});

describe('a partition that is added to a topic', () => {
  it('given one more of deliveries while lanes wait, then nothing is lost or out of order, and readiness says so', async () => {
    const traffic = await OrderedTraffic.start(cluster, { resources: 60, rounds: 20, failRate: 0.2, roundMs: 300 });
    await traffic.publish(async (round) => {
      if (round !== 8) return;
      await admin.createPartitions({ topicPartitions: [{ topic: 'deliveries', count: PARTITIONS + 1 }] });
    });
    await cluster.untilReadinessSays(
      'dispatcher',
      `deliveries has ${PARTITIONS + 1} partitions, ${PARTITIONS} are configured`,
    );
    await expectAllDelivered(traffic);
  }, 300_000);

  it('given one more of ingest, then a record that its producer puts there is delivered', async () => {
    const traffic = await OrderedTraffic.start(cluster, { resources: 1, rounds: 1 });
    await admin.createPartitions({ topicPartitions: [{ topic: 'ingest', count: PARTITIONS + 1 }] });
    const producer = kafkaClient({
      clientId: 'their-producer',
      brokers: cluster.kafka.brokers,
      isQuiet: true,
    }).producer();
    await producer.connect();
    const event = { id: 'on-the-new-partition', type: traffic.eventType, resource_id: 'r', data: { number: 0 } };
    const value = JSON.stringify(event);
    await producer.send({ topic: 'ingest', messages: [{ key: 'r', value, partition: PARTITIONS }] });
    await producer.disconnect();
    await until('the event is delivered', () => traffic.accepted.has(event.id), 60_000);
    traffic.close();
  }, 120_000);
});
