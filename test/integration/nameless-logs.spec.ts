import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeLog } from '#common/domain/commit-metadata.js';
import { kafkaClient } from '#common/kafka/connect.js';
import { clusterOf, createKafka } from '#common/kafka/kafkajs/connection/client.js';
import { topicIdentities } from '#common/kafka/kafkajs/queries/topic-identities.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { logTopic, testSettings } from '../support/kafka-port/recording-consumer.js';
import { Opened, publish, values } from '../support/log-readers.js';
import { until } from '../support/until.js';

/*
 * A broker without topic ids (docs/adr/0025). The tests use the real broker, and limit the Metadata version of every
 * connection to 9.
 */

const METADATA_KEY = 3;
const LAST_WITHOUT_IDS = 9;

interface Connecting {
  connect(): Promise<void>;
  versions?: Record<number, { minVersion: number; maxVersion: number }>;
}

const opened = new Opened();
afterEach(() => opened.close());

let connecting: Connecting;
let connect: Connecting['connect'];
beforeAll(async () => {
  const cluster = clusterOf(createKafka(testSettings([])));
  await cluster.connect();
  connecting = Object.getPrototypeOf(await cluster.brokerPool.findConnectedBroker()) as Connecting;
  await cluster.disconnect();
  connect = connecting.connect;
  connecting.connect = async function (this: Connecting) {
    await connect.call(this);
    const { [METADATA_KEY]: spoken } = this.versions ?? {};
    if (spoken) this.versions = { ...this.versions, [METADATA_KEY]: { ...spoken, maxVersion: LAST_WITHOUT_IDS } };
  };
});
afterAll(() => {
  connecting.connect = connect;
});

async function prepared(): Promise<KafkaSettings> {
  const settings = testSettings([logTopic('log')]);
  await kafkaClient(settings).ensureTopics();
  return settings;
}

async function metadataOf(settings: KafkaSettings): Promise<string> {
  const admin = await opened.adminOf(settings);
  const [found] = await admin.fetchOffsets({ groupId: `${settings.prefix}readers`, topics: [`${settings.prefix}log`] });
  return found?.partitions[0]?.metadata ?? '';
}

/** Reads five records, and stops when they are committed. */
async function readFive(settings: KafkaSettings): Promise<void> {
  await publish(settings, values('old', 5));
  const reader = await opened.consume(settings);
  await until('the old ones are read', () => reader.records.length === 5);
  await until('they are committed', async () => (await opened.committed(settings)) === '5');
  await reader.stop();
}

describe('a log without a topic id', () => {
  it('given a commit, then it names a record instead of a topic id, and reading continues at the commit', async () => {
    const settings = await prepared();
    const cluster = clusterOf(createKafka(settings));
    opened.add(() => cluster.disconnect());
    await cluster.connect();
    const name = `${settings.prefix}log`;
    expect((await topicIdentities(cluster, [name])).get(name)).toMatchObject({ topicId: undefined, partitions: 1 });
    await readFive(settings);
    expect(decodeLog(await metadataOf(settings))).toMatchObject({
      topicId: undefined,
      evidence: { offset: expect.any(Number) },
    });

    const reader = await opened.consume(settings);
    await publish(settings, values('new', 3));
    await until('the new ones are read', () => reader.records.length >= 3);
    expect(reader.values()).toEqual(values('new', 3));
  }, 60_000);

  it.each([
    { given: 'longer', records: 9 },
    { given: 'shorter', records: 2 },
  ])(
    'given another log that is $given than the commit, then every record of it is read',
    async ({ records }) => {
      const settings = await prepared();
      await readFive(settings);
      const metadata = await metadataOf(settings);
      await opened.recreate(settings, 'log');
      await publish(settings, values('new', records));
      // Kafka deletes commits together with their topic, but a restored or mirrored cluster keeps them.
      await opened.commit(settings, 5, metadata);

      const reader = await opened.consume(settings);
      await until('the new ones are read', () => reader.records.length >= records);
      expect(reader.values()).toEqual(values('new', records));
    },
    60_000,
  );
});
