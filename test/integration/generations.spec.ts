import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Generations } from '#common/generations/generations.js';
import { kafkaClient } from '#common/kafka/connect.js';
import type { RecordProducer } from '#common/kafka/port/record-writer.js';
import { type KafkaSettings, kafkaSettings } from '#common/kafka/port/settings.js';
import { Database } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import { storeLostTails } from '#common/postgres/lost-tail-store.js';
import { migrate } from '#common/postgres/migrate.js';
import { generationOutRecord } from '#common/records/generation-record.js';
import { recreateTopics } from '../support/recreate-topics.js';
import { freshDatabase, freshTopicPrefix, type TestDatabase, testBrokers } from '../support/servers.js';
import '../support/quiet.js';

let server: TestDatabase;
let database: Database;
let settings: KafkaSettings;
let producer: RecordProducer;

function freshSettings(): KafkaSettings {
  const config = {
    KAFKA_BROKERS: testBrokers(),
    KAFKA_TOPIC_PREFIX: freshTopicPrefix(),
    KAFKA_SESSION_TIMEOUT_MS: 10_000,
    INSTANCE: 'generations-test',
    LOG_PARTITIONS: 2,
    SIDE_PARTITIONS: 1,
    REPLICATION_FACTOR: 1,
    MAX_EVENT_BYTES: 65_536,
    STALL_SECONDS: 30,
    KAFKA_SASL_PASSWORD: '',
    KAFKA_SASL_MECHANISM: 'plain' as const,
  };
  const onFatal = (error: Error) => {
    throw error;
  };
  return kafkaSettings('test', config, { topicsReady: Promise.resolve(), onFatal });
}

beforeAll(async () => {
  settings = freshSettings();
  server = await freshDatabase();
  await Promise.all([kafkaClient(settings).ensureTopics(), migrate(server.url)]);
  database = new Database({ url: server.url, poolSize: 4, applicationName: 'test' });
  producer = kafkaClient(settings).producer();
  await producer.connect();
});
afterAll(async () => {
  await producer.close();
  await database.close();
  await server.drop();
});

/** A new instance, as in a process that has just started. */
const started = (markers = new GenerationMarkers()) => new Generations(kafkaClient(settings), database, markers);
const markerOf = async (topic: string) => {
  const rows = await database.query<{ value: Buffer }>(`SELECT value FROM outbox WHERE key = $1 ORDER BY seq DESC`, [
    Buffer.from(`posthorn:generation:${topic}`),
  ]);
  return rows.map(({ value }) => JSON.parse(value.toString()));
};
const idOf = async (topic: string) => (await kafkaClient(settings).topicLogs([topic])).get(topic)?.topicId;

describe('topicLogs', () => {
  it('given topics, then topicLogs returns ids and partition counts; given a missing topic, then it throws', async () => {
    const found = await kafkaClient(settings).topicLogs(['ingest', 'attempts']);
    expect([...found]).toEqual([
      ['ingest', { topicId: expect.stringMatching(/^[\w-]{22}$/), partitions: 2 }],
      ['attempts', { topicId: expect.stringMatching(/^[\w-]{22}$/), partitions: 1 }],
    ]);
    expect(found.get('ingest')?.topicId).not.toBe(found.get('attempts')?.topicId);
    await expect(kafkaClient(settings).topicLogs(['nowhere'])).rejects.toThrow('nowhere');
  });
});

describe('Generations', () => {
  it('given several processes at once, then the log is registered once, and its marker enqueued', async () => {
    const numbers = await Promise.all([started(), started(), started()].map((process) => process.of('ingest')));
    expect(numbers).toEqual([0, 0, 0]);
    const topic_id = await idOf('ingest');
    expect(await markerOf('ingest')).toEqual([{ v: 1, topic: 'ingest', topic_id, partitions: 2, generation: 0 }]);
  });

  it('given a recreated topic, then it has the next generation, also on later calls', async () => {
    expect(await started().of('dlq')).toBe(0);
    await recreateTopics(settings, ['dlq']);
    expect([await started().of('dlq'), await started().of('dlq')]).toEqual([1, 1]);
    expect((await markerOf('dlq'))[0]).toMatchObject({ generation: 1, topic_id: await idOf('dlq') });
  });

  it('given a log that lost its tail, when its topic is recreated, then the generation is above that of the tail', async () => {
    const generation = await started().of('dlq');
    const tail = { partition: 0, fromOffset: 3, generation: generation + 4, leaderEpoch: 1 };
    await storeLostTails(database, { topic: 'dlq', generation }, [tail]);
    expect(await started().of('dlq')).toBe(generation);
    await recreateTopics(settings, ['dlq']);
    expect(await started().of('dlq')).toBe(generation + 5);
  });

  it('given a database with fewer generations than the marker, then the count continues from the marker', async () => {
    const topic_id = (await idOf('attempts')) ?? '';
    const before = new GenerationMarkers();
    const key = 'posthorn:generation:attempts';
    const marker = (id: string, generation: number) =>
      Buffer.from(generationOutRecord({ v: 1, topic: 'attempts', topic_id: id, partitions: 1, generation }).value);
    before.apply(key, marker(topic_id, 5));
    before.apply(key, marker('older', 4));
    expect(await started(before).of('attempts')).toBe(5);
    const other = new GenerationMarkers();
    other.apply(key, marker('another', 7));
    expect(await started(other).of('attempts')).toBe(8);
  });
});

describe('a generation beyond those that have positions, which an earlier release took from a marker', () => {
  it('given a stored one, then the log has the generation it had before, and a recreated topic the next one', async () => {
    const before = await started().of('deliveries');
    await database.query(
      `INSERT INTO log_generations (topic, generation, topic_id, partitions)
       SELECT topic, 5000, topic_id, partitions FROM log_generations WHERE topic = 'deliveries' AND generation = $1`,
      [before],
    );
    const wrong = { partition: 0, fromOffset: 3, generation: 5_001, leaderEpoch: 1 };
    await storeLostTails(database, { topic: 'deliveries', generation: before }, [wrong]);
    expect(await started().of('deliveries')).toBe(before);
    await recreateTopics(settings, ['deliveries']);
    expect(await started().of('deliveries')).toBe(before + 1);
    await database.query(`DELETE FROM log_generations WHERE topic = 'deliveries'`);
    await database.query(`DELETE FROM lost_tails WHERE topic = 'deliveries'`);
  });
});

describe('a database of a release that counted no generations', () => {
  const upgraded = () => database.query('DELETE FROM log_generations WHERE topic = $1', ['deliveries']);
  const storeRow = (place: number) =>
    database.query(
      `WITH log AS (INSERT INTO lane_logs VALUES ('deliveries/0', 1, now()) ON CONFLICT DO NOTHING)
       INSERT INTO lane_rows (log, lane, endpoint_id, place, delivery_id, updated_at)
       VALUES ('deliveries/0', 'ep_1:a', 'ep_1', $1, 'dlv_1', now())
       ON CONFLICT (log, lane) DO UPDATE SET place = excluded.place`,
      [place],
    );

  it('given rows that fit the log, then the log is generation 0', async () => {
    await producer.write([0, 1, 2].map((n) => ({ topic: 'deliveries', key: null, value: `${n}` })));
    await storeRow(2);
    await upgraded();
    expect(await started().of('deliveries')).toBe(0);
    expect(await latestGenerations(database, ['deliveries'])).toMatchObject([{ generation: 0, isCarried: true }]);
  });

  it('given rows beyond the end of the log, then they belong to a lost generation 0, and the log is generation 1', async () => {
    await storeRow(3);
    await upgraded();
    expect(await started().of('deliveries')).toBe(1);
    expect(await latestGenerations(database, ['deliveries'])).toMatchObject([{ generation: 1, isCarried: false }]);
  });

  it('given records younger than the rows, then the log is generation 1', async () => {
    await storeRow(2);
    await database.query(`UPDATE lane_rows SET updated_at = now() - interval '1 hour'`);
    await upgraded();
    expect(await started().of('deliveries')).toBe(1);
  });
});
