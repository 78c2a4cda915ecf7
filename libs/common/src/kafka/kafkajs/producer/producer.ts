import { Logger } from '@nestjs/common';
import { Partitioners, type Producer, type ProducerConfig, type RecordMetadata } from 'kafkajs';
import type { OutRecord } from '../../../records/record.js';
import { Backoff } from '../../../timing/backoff.js';
import { atMost, delay, monotonicMs } from '../../../timing/timing.js';
import { partitionOf } from '../../port/partitioner.js';
import {
  KafkaUnavailableError,
  type RecordProducer,
  RecordTooLargeError,
  type WriteOptions,
} from '../../port/record-writer.js';
import { type KafkaSettings, partitionsOf } from '../../port/settings.js';
import { createKafka, REQUEST_TIMEOUT_MS } from '../connection/client.js';
import { PartitionBatch } from '../wire/produce-request.js';
import { HeldPartitions } from './held-partitions.js';
import { bytesOf, type PendingWrite, partsOf, takeParts, type WritePart } from './pending-write.js';
import { type TopicPart, withoutAcknowledged } from './unacknowledged.js';

/** The parts of a Kafka client that a producer needs. */
export interface ProducerClient {
  producer(config: ProducerConfig): Pick<Producer, 'connect' | 'disconnect'> & {
    sendBatch(request: ProducerRequest): Promise<Pick<RecordMetadata, 'topicName' | 'partition' | 'errorCode'>[]>;
  };
}

/** One request: a message for each partition. */
export interface ProducerRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly topicMessages: TopicPart[];
}

/** A request of as many records is worth waiting for more. */
const FULL_RECORDS = 16;
/** Least time between the beginnings of two requests, after one of {@link FULL_RECORDS}. */
const PACE_MS = 5;

/**
 * Writes records with acks from all in-sync replicas. One request is in flight at a time; records that arrive during it
 * enter the next one. This keeps the order, makes batches under load, and avoids kafkajs's idempotent producer, which can
 * acknowledge a record and lose it when requests overlap (measured). After a failed request each of its partitions has a
 * queue of its own until it is written again (held-partitions.ts).
 */
export class KafkajsProducer implements RecordProducer {
  private readonly logger = new Logger('RecordProducer');
  private readonly producer: ReturnType<ProducerClient['producer']>;
  private readonly maxRequestBytes: number;
  private readonly queue: WritePart[] = [];
  private readonly held: HeldPartitions;
  private readonly pending = new Set<PendingWrite>();
  private queuedBytes = 0;
  private pumping: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly settings: KafkaSettings,
    kafka: ProducerClient = createKafka(settings),
  ) {
    this.producer = kafka.producer({
      // Ours are created with their settings (topic-admin.ts), not with the broker's defaults.
      allowAutoTopicCreation: false,
      idempotent: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 },
    });
    this.maxRequestBytes = Math.min(
      ...settings.topics.map(({ config }) => Number(config['max.message.bytes'])).filter((bytes) => bytes > 0),
    );
    this.held = new HeldPartitions({
      maxBytes: this.maxRequestBytes,
      partitionOf: (record) => `${record.topic}/${this.partitionOf(record)}`,
      send: (parts) => this.send(parts),
      settle: (part, error) => this.settlePart(part, error && new RecordTooLargeError(error.message, { cause: error })),
      isHopeless: isTooLarge,
    });
  }

  async connect(): Promise<void> {
    const backoff = new Backoff();
    while (!this.isClosed) {
      try {
        return await this.producer.connect();
      } catch (error) {
        this.logger.warn({ err: error }, 'kafka.unreachable');
        await delay(backoff.next());
      }
    }
  }

  /** Bytes waiting for their acknowledgement. */
  get pendingBytes(): number {
    return this.queuedBytes;
  }

  write(records: readonly OutRecord[], options: WriteOptions = {}): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    if (this.isClosed) return Promise.reject(new KafkaUnavailableError('the producer is closed'));
    return new Promise((resolve, reject) => {
      const bytes = bytesOf(records);
      const write: PendingWrite = { bytes, resolve, reject, openParts: 1, timer: undefined, isSettled: false };
      if (options.timeoutMs !== undefined) {
        const expire = () => this.settle(write, new KafkaUnavailableError('not acknowledged in time'));
        write.timer = setTimeout(expire, options.timeoutMs);
      }
      this.pending.add(write);
      this.queue.push(...partsOf(write, records, this.maxRequestBytes));
      this.queuedBytes += bytes;
      this.pumping ??= this.pump();
    });
  }

  async close(timeoutMs = 5_000): Promise<void> {
    this.isClosed = true;
    await atMost(
      timeoutMs,
      Promise.resolve(this.pumping).then(() => this.held.settled()),
    );
    for (const write of this.pending) this.settle(write, new KafkaUnavailableError('the producer is closed'));
    await atMost(timeoutMs, this.producer.disconnect());
  }

  private async pump(): Promise<void> {
    // One turn of the event loop: writes of the same tick share a request.
    await new Promise(setImmediate);
    while (this.queue.length > 0) await this.sendPaced(this.takeRequest());
    this.pumping = undefined;
  }

  /**
   * A small request leaves at once. After a large one the next waits a few ms: a request costs client and broker more than
   * its records do, and the wait makes one request of three.
   */
  private async sendPaced(request: readonly WritePart[]): Promise<void> {
    if (request.length === 0) return;
    const dueAt = monotonicMs() + PACE_MS;
    const records = request.reduce((sum, part) => sum + part.records.length, 0);
    await this.sendOrHold(request);
    const waitMs = dueAt - monotonicMs();
    if (records >= FULL_RECORDS && waitMs > 0 && !this.isClosed) await delay(waitMs);
  }

  private takeRequest(): WritePart[] {
    const taken = takeParts(this.queue, this.maxRequestBytes);
    if (this.held.size === 0) return taken;
    return taken.flatMap((part) => this.held.withoutHeld(part) ?? []);
  }

  private async sendOrHold(request: readonly WritePart[]): Promise<void> {
    try {
      await this.send(request);
      for (const part of request) this.settlePart(part);
    } catch (error) {
      this.logger.warn({ err: error, parts: request.length }, 'kafka.produce_failed');
      this.held.hold(request, error);
    }
  }

  /**
   * Partitions without an answer were not sent, although kafkajs's call succeeded: its retry asks each broker once. When a
   * broker that has answered becomes the leader of a failed partition, kafkajs sends that partition to no broker.
   */
  private async send(request: readonly WritePart[]): Promise<void> {
    for (let left = this.toParts(request); left.length > 0; ) {
      const answers = await this.producer.sendBatch({ acks: -1, timeout: REQUEST_TIMEOUT_MS, topicMessages: left });
      if (answers.length === 0) throw new Error('nothing was sent');
      left = withoutAcknowledged(left, answers);
    }
  }

  /** The partition is fixed here, once: kafkajs would choose again when it retries, perhaps with other metadata. */
  private toParts(request: readonly WritePart[]): TopicPart[] {
    const byTopic = new Map<string, Map<number, PartitionBatch>>();
    for (const { records } of request) {
      for (const record of records) {
        const { topic } = record;
        const partition = this.partitionOf(record);
        const batches = byTopic.get(topic) ?? new Map<number, PartitionBatch>();
        if (batches.size === 0) byTopic.set(topic, batches);
        const batch = batches.get(partition) ?? new PartitionBatch(partition);
        if (batch.records.push(record) === 1) batches.set(partition, batch);
      }
    }
    return [...byTopic].map(([topic, batches]) => ({
      topic: this.settings.prefix + topic,
      messages: [...batches.values()],
    }));
  }

  private partitionOf({ topic, key }: OutRecord): number {
    return key === null ? 0 : partitionOf(key, partitionsOf(this.settings, topic));
  }

  private settlePart({ write }: WritePart, error?: Error): void {
    write.openParts--;
    if (error || write.openParts === 0) this.settle(write, error);
  }

  private settle(write: PendingWrite, error?: Error): void {
    if (write.isSettled) return;
    this.pending.delete(write);
    write.isSettled = true;
    clearTimeout(write.timer);
    this.queuedBytes -= write.bytes;
    if (error) write.reject(error);
    else write.resolve();
  }
}

function isTooLarge(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'type' in error &&
    (error.type === 'MESSAGE_TOO_LARGE' || error.type === 'RECORD_LIST_TOO_LARGE')
  );
}
