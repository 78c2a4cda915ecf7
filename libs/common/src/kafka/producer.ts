import { Logger } from '@nestjs/common';
import { Partitioners, type Producer, type ProducerConfig, type RecordMetadata } from 'kafkajs';
import { createKafka, REQUEST_TIMEOUT_MS } from './client.js';
import { partitionOf } from './partitioner.js';
import type { RecordWriter } from './port.js';
import { PartitionBatch } from './produce-request.js';
import type { OutRecord } from './record.js';
import { type KafkaSettings, partitionsOf } from './settings.js';
import { atMost, delay, monotonicMs } from './timing.js';
import { type TopicPart, withoutAcknowledged } from './unacknowledged.js';

/** Kafka did not confirm a write in time. Whether it is stored is unknown. */
export class KafkaUnavailableError extends Error {}

export interface WriteOptions {
  /** Give up, with an unknown outcome, after this long. Without it the write is tried until it succeeds. */
  readonly timeoutMs?: number;
}

/** What writing takes of a Kafka client. */
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

interface PendingWrite {
  readonly records: readonly OutRecord[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  timer: NodeJS.Timeout | undefined;
  isSettled: boolean;
}

/** A request of as many records is worth waiting for more. */
const FULL_RECORDS = 16;
/** Least time between the beginnings of two requests, after one of {@link FULL_RECORDS}. */
const PACE_MS = 5;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
/** Framing of a record beside its key, value and headers; generous. */
const RECORD_OVERHEAD_BYTES = 64;

/**
 * Writes records with acks from all in-sync replicas. One request is under way at a time, and what arrives meanwhile
 * goes into the next: that keeps the order, batches naturally, and avoids kafkajs's idempotent producer, which can
 * acknowledge a record and lose it when requests overlap (measured).
 */
export class RecordProducer implements RecordWriter {
  private readonly logger = new Logger(RecordProducer.name);
  private readonly producer: ReturnType<ProducerClient['producer']>;
  private readonly maxRequestBytes: number;
  private queue: PendingWrite[] = [];
  private queuedBytes = 0;
  private pumping: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly settings: KafkaSettings,
    kafka: ProducerClient = createKafka(settings),
  ) {
    this.producer = kafka.producer({
      idempotent: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 },
    });
    this.maxRequestBytes = Math.min(
      ...settings.topics.map(({ config }) => Number(config['max.message.bytes'])).filter((bytes) => bytes > 0),
    );
  }

  /** Tries until a broker answers. */
  async connect(): Promise<void> {
    for (let waitMs = MIN_BACKOFF_MS; !this.isClosed; waitMs = Math.min(waitMs * 2, MAX_BACKOFF_MS)) {
      try {
        return await this.producer.connect();
      } catch (error) {
        this.logger.warn({ err: error }, 'kafka.unreachable');
        await delay(waitMs);
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
      const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
      const write: PendingWrite = { records, bytes, resolve, reject, timer: undefined, isSettled: false };
      if (options.timeoutMs !== undefined) {
        const expire = () => this.settle(write, new KafkaUnavailableError('not acknowledged in time'));
        write.timer = setTimeout(expire, options.timeoutMs);
      }
      this.queue.push(write);
      this.queuedBytes += bytes;
      this.pumping ??= this.pump();
    });
  }

  /** Writes what waits, for a bounded time, then disconnects. */
  async close(timeoutMs = 5_000): Promise<void> {
    this.isClosed = true;
    await atMost(timeoutMs, this.pumping);
    for (const write of this.queue) this.settle(write, new KafkaUnavailableError('the producer is closed'));
    this.queue = [];
    await atMost(timeoutMs, this.producer.disconnect());
  }

  private async pump(): Promise<void> {
    // One turn of the event loop: writes of the same tick share a request.
    await new Promise(setImmediate);
    while (this.queue.length > 0) await this.sendPaced(this.takeRequest());
    this.pumping = undefined;
  }

  /**
   * One lane that is busy, or one event now and then, waits for nobody. Where many write at once, a request costs client
   * and broker more than its records do, and a few ms make it one instead of three.
   */
  private async sendPaced(request: readonly PendingWrite[]): Promise<void> {
    const dueAt = monotonicMs() + PACE_MS;
    const records = request.reduce((sum, write) => sum + write.records.length, 0);
    await this.sendWithRetry(request);
    const waitMs = dueAt - monotonicMs();
    if (records >= FULL_RECORDS && waitMs > 0 && !this.isClosed) await delay(waitMs);
  }

  private takeRequest(): PendingWrite[] {
    const taken: PendingWrite[] = [];
    let bytes = 0;
    for (const write of this.queue) {
      if (taken.length > 0 && bytes + write.bytes > this.maxRequestBytes) break;
      taken.push(write);
      bytes += write.bytes;
    }
    this.queue = this.queue.slice(taken.length);
    return taken;
  }

  private async sendWithRetry(request: readonly PendingWrite[]): Promise<void> {
    let rest = request;
    for (let waitMs = MIN_BACKOFF_MS; ; waitMs = Math.min(waitMs * 2, MAX_BACKOFF_MS)) {
      rest = rest.filter((write) => !write.isSettled);
      if (rest.length === 0) return;
      try {
        await this.send(rest);
        for (const write of rest) this.settle(write);
        return;
      } catch (error) {
        if (isTooLarge(error)) return this.sendOneByOne(rest, error);
        this.logger.warn({ err: error, records: rest.length }, 'kafka.produce_failed');
        await delay(waitMs);
      }
    }
  }

  /** One record too large for its topic must not take the others of its request along. */
  private async sendOneByOne(request: readonly PendingWrite[], cause: Error): Promise<void> {
    const [only] = request;
    if (request.length === 1 && only) return this.settle(only, cause);
    for (const write of request) await this.sendWithRetry([write]);
  }

  /**
   * What a batch does not tell of was never sent, although it succeeded: kafkajs asks each broker once. When one has
   * answered, and then becomes the leader of a partition whose own had failed, that partition is asked of nobody.
   */
  private async send(request: readonly PendingWrite[]): Promise<void> {
    for (let left = this.toParts(request); left.length > 0; ) {
      const answers = await this.producer.sendBatch({ acks: -1, timeout: REQUEST_TIMEOUT_MS, topicMessages: left });
      if (answers.length === 0) throw new Error('nothing was sent');
      left = withoutAcknowledged(left, answers);
    }
  }

  /** The partition is fixed here, once: kafkajs would choose again when it retries, perhaps with other metadata. */
  private toParts(request: readonly PendingWrite[]): TopicPart[] {
    const byTopic = new Map<string, Map<number, PartitionBatch>>();
    for (const { records } of request) {
      for (const record of records) {
        const { topic, key } = record;
        const partition = key === null ? 0 : partitionOf(key, partitionsOf(this.settings, topic));
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

  private settle(write: PendingWrite, error?: Error): void {
    if (write.isSettled) return;
    write.isSettled = true;
    clearTimeout(write.timer);
    this.queuedBytes -= write.bytes;
    if (error) write.reject(error);
    else write.resolve();
  }
}

function recordBytes({ key, value, headers }: OutRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + byteLength(key) + byteLength(value);
  for (const name in headers) bytes += name.length + byteLength(headers[name] ?? '') + 4;
  return bytes;
}

function byteLength(content: Buffer | string | null): number {
  if (content === null) return 0;
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length;
}

function isTooLarge(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'type' in error &&
    (error.type === 'MESSAGE_TOO_LARGE' || error.type === 'RECORD_LIST_TOO_LARGE')
  );
}
