import type { Message, Producer } from 'kafkajs';
import { kafkaClient, keyedProducer } from '../../../scripts/lib/kafka-client.js';
import type { EventInput } from '../../support/client.js';
import type { Fault, Scene } from './fault.js';

const ROUNDS = 6;
/** Larger than a fetch. Other traffic continues, so only such a transaction fills a whole fetch. */
const LARGE_BYTES = 200_000;
const PAUSE_MS = 400;
const OTHER_TOPICS = ['deliveries', 'attempts', 'dlq', 'retry-4s', 'endpoints', 'api-keys'];

export const TRANSACTION_FAULTS = {
  transactions: { inject: transactions },
} satisfies Record<string, Fault>;

/**
 * Transactions of a foreign producer: committed events, which must arrive, and aborted records on every topic, which
 * consumers must skip. Small ones, and ones of several fetches.
 */
async function transactions(scene: Scene): Promise<void> {
  const kafka = kafkaClient({ clientId: 'transactional', brokers: scene.system.brokers.direct, isQuiet: true });
  const transactionalId = `torture-${scene.run.name}`;
  const producer = keyedProducer(kafka, { transactionalId, maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  await scene.during({ kind: 'transaction', target: 'every topic' }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const padding = 'x'.repeat(round % 2 === 0 ? 0 : LARGE_BYTES);
      await abort(producer, messageOf(eventOf(scene, `aborted-${round}`, round, padding)), {
        key: `aborted-${round}`,
        value: `x${padding}`,
      });
      await scene.last(PAUSE_MS);
      const committed = eventOf(scene, `committed-${round}`, round, padding);
      await scene.run.ledger.publishAs(committed, () => commit(producer, messageOf(committed)));
      await scene.last(PAUSE_MS);
    }
    return 2 * ROUNDS;
  });
  await producer.disconnect();
}

/** Events of one resource, so that the judge checks their order. */
function eventOf({ run }: Scene, name: string, number: number, padding: string): EventInput {
  const [like] = run.load.acknowledged;
  if (like === undefined) throw new Error('no event was acknowledged yet');
  const resource = `${run.name}-transactions`;
  return { id: `${resource}-${name}`, type: like.type, resource_id: resource, data: { number, padding } };
}

function messageOf(event: EventInput): Message {
  return { key: event.resource_id ?? null, value: JSON.stringify(event) };
}

/** One transaction over every topic. */
async function abort(producer: Producer, event: Message, other: Message): Promise<void> {
  const transaction = await producer.transaction();
  const others = OTHER_TOPICS.map((topic) => ({ topic, messages: [other] }));
  await transaction.sendBatch({ topicMessages: [{ topic: 'ingest', messages: [event] }, ...others] });
  await transaction.abort();
}

async function commit(producer: Producer, message: Message) {
  const transaction = await producer.transaction();
  const [written] = await transaction.send({ topic: 'ingest', messages: [message] });
  await transaction.commit();
  return written && { partition: written.partition, offset: Number(written.baseOffset) };
}
