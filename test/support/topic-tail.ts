import { randomUUID } from 'node:crypto';
import type { Consumer, Kafka } from 'kafkajs';

/** A record, as read by any Kafka client. */
export interface TailRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** Reads a topic from its start, and keeps its records. */
export class TopicTail {
  readonly records: TailRecord[] = [];

  private constructor(private readonly consumer: Consumer) {}

  static async start(kafka: Kafka, topic: string): Promise<TopicTail> {
    const consumer = kafka.consumer({ groupId: `tail-${randomUUID()}`, maxWaitTimeInMs: 100 });
    const tail = new TopicTail(consumer);
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message: { offset, key, value, headers = {} } }) => {
        const asBytes = Object.entries(headers).map(([name, text]) => {
          const last = Array.isArray(text) ? text.at(-1) : text;
          return [name, Buffer.from(last ?? '')];
        });
        tail.records.push({ partition, offset: Number(offset), key, value, headers: Object.fromEntries(asBytes) });
      },
    });
    return tail;
  }

  stop(): Promise<void> {
    return this.consumer.disconnect();
  }
}
