import type { Admin } from 'kafkajs';
import { kafkaClient, keyedProducer } from '../../../scripts/lib/kafka-client.js';
import { INGEST_POISON } from '../../support/poison.js';
import { recordsThatEndSoon } from '../../support/strange-records/ending-soon.js';
import { writeStrangeRecords } from '../../support/strange-records/write.js';
import { until } from '../../support/until.js';
import { readAllTopics } from '../harness/evidence.js';
import type { Fault, Scene } from './fault.js';

const POISON_ROUNDS = 4;
const POISON_EVERY_MS = 1_000;
/** Number of records of each topic and kind. */
const STRANGE_EACH = 40;
const DUPLICATES_MS = 8_000;
const UNREAD_MS = 4_000;
const REPLAYED_EVENTS = 200;
const REPLAY_LIMIT_MS = 30_000;

/** Faults of records in the logs. */
export const RECORD_FAULTS = {
  poison: { inject: poison },
  'strange-records': { inject: strangeRecords },
  duplicates: { inject: duplicates },
  retention: { inject: retention },
  'replay-killed': { inject: replayKilled },
} satisfies Record<string, Fault>;

/** Poison records by the topic's door, among events. */
async function poison(scene: Scene): Promise<void> {
  const producer = keyedProducer(direct(scene));
  await producer.connect();
  await scene.during({ kind: 'poison', target: 'ingest' }, async () => {
    let written = 0;
    for (let round = 0; round < POISON_ROUNDS; round++) {
      for (const [name, { value, headers = {}, key }] of Object.entries(INGEST_POISON)) {
        const message = { key: key === null ? null : `${scene.run.name}-poison`, value, headers };
        const invokedAt = Date.now();
        const [at] = await producer.send({ topic: 'ingest', acks: -1, messages: [message] });
        scene.run.ledger.notePoison(name, invokedAt, at && { partition: at.partition, offset: Number(at.baseOffset) });
        written++;
      }
      await scene.last(POISON_EVERY_MS);
    }
    return written;
  });
  await producer.disconnect();
}

/** Malformed, forged and out-of-range records of every topic, during the load. None names an endpoint of the run. */
async function strangeRecords(scene: Scene): Promise<void> {
  const seed = scene.random.pick(1_000_000);
  await scene.during({ kind: 'poison', target: 'all topics' }, async () => {
    const cast = { endpointIds: ['ep_none'], nowMs: Date.now() };
    return writeStrangeRecords(direct(scene), recordsThatEndSoon({ seed, cast, each: STRANGE_EACH }));
  });
}

/** Publishes events again, at once and much later, as producers without an acknowledgement. */
async function duplicates(scene: Scene): Promise<void> {
  const { ledger, load } = scene.run;
  await scene.during({ kind: 'duplicate_event', target: 'ingest' }, async () => {
    let repeated = 0;
    for (const endAt = Date.now() + DUPLICATES_MS; Date.now() < endAt; ) {
      const { acknowledged } = load;
      const late = acknowledged[scene.random.pick(acknowledged.length)];
      for (const event of [late, acknowledged.at(-1)]) {
        if (event === undefined) continue;
        const input = { id: event.id, type: event.type, resource_id: event.resource, data: { number: event.number } };
        await (scene.random.chance(500) ? ledger.publish(input) : ledger.publishByKafka(input));
        repeated++;
      }
    }
    return repeated;
  });
}

/** Kafka deletes unread deliveries while no dispatcher runs. */
async function retention(scene: Scene): Promise<void> {
  const { supervised, apps } = scene.system;
  const dispatchers = apps.all().filter(({ app }) => app === 'dispatcher');
  const admin = direct(scene).admin();
  await admin.connect();
  for (const dispatcher of dispatchers) supervised.hold(dispatcher);
  await Promise.all(dispatchers.map((dispatcher) => supervised.terminate(dispatcher)));
  await scene.last(UNREAD_MS);
  const unread = await unreadDeliveries(admin);
  const before = await readAllTopics(scene.system);
  scene.run.topicsBefore = before;
  await scene.during({ kind: 'retention', target: 'deliveries', inFlight: unread }, async () => {
    // Deletes only records that the evidence has: the routers continue, and unknown records cannot be judged.
    const read = before.find(({ topic }) => topic === 'deliveries')?.partitions ?? [];
    const partitions = read.map(({ partition, end }) => ({ partition, offset: String(end) }));
    await admin.deleteTopicRecords({ topic: 'deliveries', partitions });
    return partitions.length;
  });
  for (const dispatcher of dispatchers) supervised.release(dispatcher);
  await supervised.allReady();
  await admin.disconnect();
}

async function unreadDeliveries(admin: Admin): Promise<number> {
  const [committed] = await admin.fetchOffsets({ groupId: 'dispatcher', topics: ['deliveries'] });
  const ends = await admin.fetchTopicOffsets('deliveries');
  const offsets = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  return ends.reduce((sum, { partition, high }) => sum + Number(high) - Math.max(0, offsets.get(partition) ?? 0), 0);
}

/** Replays all deliveries of an endpoint during the load, and kills control during the replay. */
async function replayKilled(scene: Scene): Promise<void> {
  const { apps, supervised } = scene.system;
  const { steady } = scene.run.endpoints;
  await until('there is something to replay', () => scene.run.load.acknowledged.length >= REPLAYED_EVENTS);
  const body = { since: new Date(scene.run.startedAt).toISOString(), only: 'all' };
  const { id } = await apps.call<{ id: string }>('control', `/v1/endpoints/${steady.id}/recover`, { body });
  const look = () => apps.call<{ state: string; sent: number; total: number }>('control', `/v1/recoveries/${id}`);
  await scene.during({ kind: 'replay', target: steady.hook }, async () => {
    await until('the replay is under way', async () => (await look()).sent > 0, REPLAY_LIMIT_MS);
    const { sent } = await look();
    // Either control may run the replay.
    for (const process of apps.all().filter(({ app }) => app === 'control')) {
      const from = Date.now();
      await supervised.kill(process);
      scene.note({ kind: 'kill', target: process.name, from, to: Date.now(), fired: 1, inFlight: sent });
    }
    await supervised.allReady();
    await until('the replay is over', async () => (await look()).state === 'done', REPLAY_LIMIT_MS);
    return (await look()).sent;
  });
}

function direct({ system }: Scene) {
  return kafkaClient({ clientId: 'outsider', brokers: system.brokers.direct, isQuiet: true });
}
