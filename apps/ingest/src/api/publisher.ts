import { Inject, Injectable } from '@nestjs/common';
import { ProblemError } from '#common/http/problem.js';
import { KafkaUnavailableError, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { encodeEvent } from '#common/records/event.js';
import { DOOR_HEADER, ENVELOPE_BYTES, HTTP_DOOR } from '#common/records/event-record.js';
import { recordBytes } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';
import { INGEST_TOPIC } from '#common/records/topics.js';
import * as metrics from '../metrics.js';
import { writeAll } from '../writes.js';
import type { AddressedEvent } from './event-request.js';

/**
 * DI token of the API's own Kafka producer: its writes have a caller waiting, so they must not queue behind the
 * router's.
 */
export const PUBLISH_PRODUCER = Symbol('PublishProducer');

/** DI token of {@link PublisherLimits}. */
export const PUBLISHER_LIMITS = Symbol('PublisherLimits');

export interface PublisherLimits {
  readonly maxEventBytes: number;
  readonly maxWaitingRequests: number;
  readonly maxWaitingBytes: number;
  readonly timeoutMs: number;
}

const RETRY_AFTER_S = 2;

/** Writes events to `ingest` and waits until Kafka acknowledged them. Requests and bytes in flight are limited. */
@Injectable()
export class EventPublisher {
  private waitingRequests = 0;
  private waitingBytes = 0;

  constructor(
    @Inject(PUBLISH_PRODUCER) private readonly producer: RecordWriter,
    @Inject(PUBLISHER_LIMITS) private readonly limits: PublisherLimits,
  ) {
    const { maxWaitingRequests, maxWaitingBytes } = limits;
    if (maxWaitingRequests < 1 || maxWaitingBytes < 1) throw new RangeError('nothing could ever be published');
  }

  /** @throws ProblemError EVENT_LOG_UNAVAILABLE when Kafka did not acknowledge: events may be stored. BODY_TOO_LARGE */
  async publish(events: readonly AddressedEvent[]): Promise<void> {
    const records = events.map((event) => this.toRecord(event));
    const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
    this.reserve(bytes);
    try {
      await writeAll(this.producer, records, { timeoutMs: this.limits.timeoutMs });
      metrics.accepted.inc({ door: 'http' }, events.length);
    } catch (error) {
      if (!(error instanceof KafkaUnavailableError)) throw error;
      throw unavailable('Kafka did not confirm in time: publish again, with the same id', error);
    } finally {
      this.release(bytes);
    }
  }

  private toRecord(event: AddressedEvent): OutRecord {
    const value = Buffer.from(encodeEvent(event));
    const { maxEventBytes } = this.limits;
    // Data that is not JSON grows when it becomes a JSON string. The router would reject the event after the 202.
    if (value.length > maxEventBytes + ENVELOPE_BYTES || Buffer.byteLength(event.rawData) > maxEventBytes) {
      throw new ProblemError(
        'BODY_TOO_LARGE',
        `an event may have at most ${maxEventBytes} bytes as JSON (MAX_EVENT_BYTES)`,
      );
    }
    return {
      topic: INGEST_TOPIC,
      key: event.resourceId ?? event.id,
      value,
      headers: { [DOOR_HEADER]: HTTP_DOOR, ...event.trace },
    };
  }

  private reserve(bytes: number): void {
    const { maxWaitingRequests, maxWaitingBytes } = this.limits;
    const isFull = this.waitingRequests >= maxWaitingRequests || this.waitingBytes + bytes > maxWaitingBytes;
    // A request that waits alone is admitted, even above the limit.
    if (isFull && this.waitingRequests > 0) throw unavailable('too many events wait for Kafka: publish again later');
    this.adjustWaiting(1, bytes);
  }

  private release(bytes: number): void {
    this.adjustWaiting(-1, -bytes);
  }

  private adjustWaiting(requests: number, bytes: number): void {
    this.waitingRequests += requests;
    this.waitingBytes += bytes;
    metrics.waitingRequests.set(this.waitingRequests);
    metrics.waitingBytes.set(this.waitingBytes);
  }
}

function unavailable(detail: string, cause?: Error): ProblemError {
  return new ProblemError('EVENT_LOG_UNAVAILABLE', detail, { retryAfterS: RETRY_AFTER_S, cause });
}
