import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Producer } from 'kafkajs';
import { RecordSigner } from '#common/security/record-signature.js';
import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.js';
import { Cluster } from '../support/cluster.js';
import { runScript } from '../support/run-script.js';
import { type TailRecord, TopicTail } from '../support/topic-tail.js';
import { until } from '../support/until.js';
import { useTraffic } from '../support/use-traffic.js';

/* Dead letters and their MAC, on real servers that require it: only this system's deliveries can be replayed. */

const SECRET_KEYS = `k1:${randomBytes(32).toString('base64')}`;

const SIGNING_KEY = `config:${Buffer.alloc(32, 3).toString('base64')}`;
const SIGNED = {
  REQUIRE_SIGNED_RECORDS: 'true',
  CONFIG_SIGNING_KEY: SIGNING_KEY,
  CONFIG_PUBLIC_KEYS: new RecordSigner(SIGNING_KEY).publicKey,
};

let cluster: Cluster;
let dlq: TopicTail;
let producer: Producer;
const traffic = useTraffic(() => cluster);

beforeAll(async () => {
  cluster = await Cluster.start({ SECRET_KEYS, ...SIGNED });
  const kafka = kafkaClient({ clientId: 'e2e', brokers: cluster.kafka.brokers, isQuiet: true });
  dlq = await TopicTail.start(kafka, 'dlq');
  producer = keyedProducer(kafka);
  await producer.connect();
}, 180_000);

afterAll(async () => {
  await producer?.disconnect();
  await dlq?.stop();
  await cluster?.stop();
}, 60_000);

const text = (record: TailRecord, name: string) => record.headers[name]?.toString();
const reasonOf = (record: TailRecord) => text(record, 'posthorn-dead-reason');
const deadAs = (reason: string) => dlq.records.filter((record) => reasonOf(record) === reason);
const copyTo = (topic: string, { key, value, headers }: TailRecord) =>
  producer.send({ topic, acks: -1, messages: [{ key, value, headers: { ...headers } }] });

function without({ headers, ...record }: TailRecord, name: string): TailRecord {
  return { ...record, headers: Object.fromEntries(Object.entries(headers).filter(([known]) => known !== name)) };
}

describe('replays', () => {
  it('given dead letters, then unchanged copies are delivered, and forged ones reach no endpoint', async () => {
    const retry_policy = { delays_s: [0.1], permanent_statuses: [503] };
    const seen = await traffic({ resources: 4, rounds: 1, endpoint: { retry_policy } });
    seen.isDown = true;
    await seen.publish();
    await until('all are dead', () => deadAs('unrecoverable').length === 4);
    seen.isDown = false;
    const [first, second, third, fourth] = deadAs('unrecoverable');
    if (!first || !second || !third || !fourth) throw new Error('there are not four dead letters');
    expect(text(first, 'posthorn-mac')).toMatch(/^v1:k1:[\w-]{43}$/);

    await copyTo('ingest', first);
    await copyTo('deliveries', second);
    await until('both are delivered', () => seen.accepted.size === 2);

    const stolen = { ...third, value: Buffer.from('{"id":"evt-forged","resource_id":"x","data":{"number":9}}') };
    await copyTo('ingest', stolen);
    await copyTo('ingest', without(third, 'posthorn-mac'));
    await until('both are set aside', () => deadAs('payload_error').length === 2);
    expect(deadAs('payload_error').map((record) => text(record, 'posthorn-dead-detail'))).toEqual([
      'the posthorn-mac header does not match the record',
      'the dead letter has no posthorn-mac header',
    ]);
    // The API shows them as poison records, and does not replay them.
    const aside = async () =>
      (
        await cluster.call<{ items: { id: string; delivery_id: string | null; tenant: string | null }[] }>(
          'control',
          '/v1/dead-letters?reason=payload_error',
        )
      ).items;
    await until('both are shown', async () => (await aside()).length === 2);
    for (const { id, delivery_id, tenant } of await aside()) {
      expect({ delivery_id, tenant }).toEqual({ delivery_id: null, tenant: null });
      const replay = cluster.call('control', `/v1/dead-letters/${id}/replay`, { method: 'POST' });
      await expect(replay).rejects.toThrow('409');
    }
    expect(seen.accepted.size).toBe(2);

    const letters = await cluster.call<{ items: { id: string; event_id: string }[] }>(
      'control',
      '/v1/dead-letters?reason=unrecoverable',
    );
    const eventOf = (record: TailRecord) => text(record, 'posthorn')?.split('\n')[2];
    const letter = letters.items.find(({ event_id }) => event_id === eventOf(third));
    await cluster.call('control', `/v1/dead-letters/${letter?.id}/replay`, { method: 'POST' });
    await until('the third is delivered', () => seen.accepted.size === 3);
  }, 120_000);

  it('given a dead letter of an earlier release, then a copy is rejected, and a signed copy is delivered', async () => {
    const seen = await traffic({ resources: 1, rounds: 1 });
    seen.isDown = false;
    const header = (endpoint: string) =>
      ['1', `dlv_${randomBytes(6).toString('hex')}`, 'evt-old', endpoint, 'default', 'x', 1, 0, 5, 'r', 3, '', ''].join(
        '\n',
      );
    await producer.send({
      topic: 'dlq',
      messages: [
        {
          key: `${seen.endpointId}:old`,
          value: '{"id":"evt-old","resource_id":"old","occurred_at":"2026-01-01T00:00:00Z","data":{"number":0}}',
          headers: {
            posthorn: header(seen.endpointId),
            'posthorn-dead-reason': 'max_retries',
            'posthorn-dead-at': '2026-01-01T00:00:00Z',
            'posthorn-dead-source': 'deliveries/0/3',
          },
        },
      ],
    });
    const env = { KAFKA_BROKERS: cluster.kafka.brokers.join(','), SECRET_KEYS };
    const replay = (...args: string[]) =>
      runScript('replay', env, [
        '--to',
        'deliveries',
        '--reason',
        'max_retries',
        '--endpoint',
        seen.endpointId,
        ...args,
      ]);
    const refused = () => deadAs('payload_error').filter((record) => text(record, 'posthorn')?.includes('evt-old'));
    expect(await replay()).toMatchObject({ code: 0 });
    await until('it is refused', () => refused().length === 1);
    expect(await replay('--sign')).toMatchObject({ code: 0 });
    await until('it is delivered', () => seen.accepted.has('evt-old'));
  }, 120_000);
});
