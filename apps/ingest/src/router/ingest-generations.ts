import { Inject, Injectable, Logger } from '@nestjs/common';
import { generationOf, offsetOf, positionOf } from '#common/domain/position.js';
import type { Positions } from '#common/domain/positions.js';
import { Generations } from '#common/generations/generations.js';
import { LogPositions, type TakenLog } from '#common/generations/log-positions.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import {
  type EventCursor,
  receiversOf,
  type UndeliveredEvent,
  undeliveredEvents,
} from '#common/postgres/carry-store.js';
import { Database } from '#common/postgres/database.js';
import { latestGenerations } from '#common/postgres/generation-store.js';
import {
  acceptedUpTo,
  mayLackDeliveries,
  mayTailLackDeliveries,
  noteDeliveriesComplete,
  noteTailComplete,
} from '#common/postgres/unwritten-store.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC, INGEST_TOPIC } from '#common/records/topics.js';
import * as metrics from '../metrics.js';
import { writeAll } from '../writes.js';
import { deliveryOf } from './fan-out.js';

const DAY_MS = 86_400_000;
/** Longer than the retention of `ingest` and `deliveries`. */
const LOOK_BACK_MS = 8 * DAY_MS;
/** Upper bound of the clock difference between brokers and PostgreSQL. */
const CLOCKS_MS = 1_000;
const EVENTS_AT_ONCE = 1_000;
/** Bytes of event bodies per scan of `deliveries`. */
const MAX_HELD_BYTES = 16 * 1_024 * 1_024;

/**
 * The generation of `ingest`. For a new generation, the router first writes the missing deliveries of the lost log:
 * those of events that were archived and not fanned out. The records of these events are gone; only the archive has
 * them.
 *
 * A scan of `deliveries` decides which deliveries are missing. A missing outcome in PostgreSQL proves nothing: the
 * projector may lag.
 */
@Injectable()
export class IngestGenerations {
  private readonly logger = new Logger(IngestGenerations.name);
  /** Partitions that wait for the next pass. */
  private readonly asked = new Set<number>();
  private passing: Promise<void> | undefined;

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    private readonly database: Database,
    private readonly generations: Generations,
    private readonly positions: LogPositions,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
  ) {}

  of(topic: string): Promise<number> {
    return this.generations.of(topic);
  }

  /** Positions of the records of one partition. @throws when Kafka or PostgreSQL does not answer; the caller retries */
  positionsOf(log: TakenLog, generation: number): Promise<Positions> {
    return this.positions.of(log, generation);
  }

  /**
   * Resolves when the router may read a partition of a new log: the lost log's deliveries exist.
   *
   * @throws when Kafka or PostgreSQL does not answer; the caller retries
   */
  async complete({ partition, partitions, lost }: OwnedLog, generation: number): Promise<void> {
    if (generation === 0) return;
    while (!lost.aborted && (await mayLackDeliveries(this.database, generation, partition))) {
      this.asked.add(partition);
      this.passing ??= this.pass(generation, partitions).finally(() => {
        this.passing = undefined;
      });
      await this.passing;
    }
  }

  /**
   * Resolves when the deliveries of a lost tail's events exist. The records of the tail are gone, so no router reads
   * them.
   *
   * @throws as {@link complete} does
   */
  async completeTail({ partition }: OwnedLog, positions: Positions): Promise<void> {
    const { lostFrom } = positions;
    if (lostFrom === undefined) return;
    const end = positions.of(lostFrom);
    if (!(await mayTailLackDeliveries(this.database, generationOf(end)))) return;
    const archivedSinceMs = await this.carriedBeforeMs();
    const isMissing = ({ status, source_partition, source_offset, archived_at }: UndeliveredEvent) =>
      status === null &&
      source_partition === partition &&
      source_offset !== null &&
      source_offset < end &&
      offsetOf(source_offset) >= lostFrom &&
      (archived_at?.getTime() ?? 0) >= archivedSinceMs;
    const counts = await this.writeAllMissing(await this.tailSinceMs(partition, positions, lostFrom), isMissing);
    await noteTailComplete(this.database, generationOf(end));
    this.logger.warn(
      { topic: INGEST_TOPIC, partition, from_offset: lostFrom, ...counts },
      'generation.tail_fanned_out',
    );
  }

  /** Timestamp of the record before the lost tail: no record of the tail is older. */
  private async tailSinceMs(partition: number, positions: Positions, lostFrom: number): Promise<number> {
    const oldest = Date.now() - LOOK_BACK_MS;
    if (lostFrom === 0) return oldest;
    const before = await acceptedUpTo(this.database, partition, positions.of(lostFrom - 1));
    return Math.max(oldest, (before ?? oldest) - CLOCKS_MS);
  }

  /** All partitions of one assignment share a pass. A pass after a crash finds the earlier writes in `deliveries`. */
  private async pass(generation: number, partitions: number): Promise<void> {
    const archivedSinceMs = await this.carriedBeforeMs();
    const sinceMs = Date.now() - LOOK_BACK_MS;
    const asked = new Set(this.asked);
    this.asked.clear();
    const isMissing = ({ status, source_partition, source_offset, archived_at }: UndeliveredEvent) =>
      status === null &&
      source_partition !== null &&
      asked.has(source_partition % partitions) &&
      (source_offset ?? 0) < positionOf(generation, 0) &&
      (archived_at?.getTime() ?? 0) >= archivedSinceMs;
    const counts = await this.writeAllMissing(sinceMs, isMissing);
    for (const partition of asked) await noteDeliveriesComplete(this.database, generation, partition, partitions);
    this.logger.warn({ topic: INGEST_TOPIC, generation, partitions: [...asked], ...counts }, 'generation.fanned_out');
  }

  private async writeAllMissing(sinceMs: number, isMissing: (event: UndeliveredEvent) => boolean) {
    const counts = { found: 0, written: 0 };
    for (let after: EventCursor | undefined = [sinceMs, -2, -2, '', '']; after !== undefined; ) {
      const { found, next } = await this.collect(after, isMissing);
      counts.found += found.length;
      counts.written += await this.writeMissing(found);
      after = next;
    }
    return counts;
  }

  /**
   * The time from which the router writes missing deliveries. The deliveries of events archived before were in an
   * earlier log of `deliveries`, which the dispatchers carry over.
   *
   * @returns ms since the epoch; 0 when `deliveries` is the first log of its topic
   */
  private async carriedBeforeMs(): Promise<number> {
    const number = await this.generations.of(DELIVERIES_TOPIC);
    const [stored] = await latestGenerations(this.database, [DELIVERIES_TOPIC]);
    if (number === 0 || stored === undefined) return 0;
    const oldest = await this.kafka.withLogBounds((bounds) => bounds.oldestRecordAt(DELIVERIES_TOPIC, Date.now()));
    return Math.min(oldest ?? Number.POSITIVE_INFINITY, stored.firstSeenAt.getTime()) + CLOCKS_MS;
  }

  /** @returns undelivered events in the order of acceptance, about `MAX_HELD_BYTES`, and the cursor of the next ones */
  private async collect(from: EventCursor, isMissing: (event: UndeliveredEvent) => boolean) {
    const found: UndeliveredEvent[] = [];
    const bounds = { untilMs: Date.now() + DAY_MS, archivedBeforeMs: Date.now() + DAY_MS };
    let next: EventCursor | undefined = from;
    for (let bytes = 0; next !== undefined && bytes < MAX_HELD_BYTES; ) {
      const page = await undeliveredEvents(this.database, next, bounds, EVENTS_AT_ONCE);
      for (const event of page.found.filter(isMissing)) {
        found.push(event);
        bytes += event.data.length;
      }
      next = page.next;
    }
    return { found, next };
  }

  /** @returns the number of deliveries written: those that `deliveries` lacked */
  private async writeMissing(found: readonly UndeliveredEvent[]): Promise<number> {
    const [oldest] = found;
    if (oldest === undefined) return 0;
    const missing = new Map(found.map((event) => [event.delivery_id, event]));
    const sinceMs = oldest.accepted_at.getTime() - CLOCKS_MS;
    await this.kafka.readRange({ topic: DELIVERIES_TOPIC, sinceMs }, async (records) => {
      for (const { headers } of records) missing.delete(decodeDelivery(headers[DELIVERY_HEADER])?.deliveryId ?? '');
    });
    const events = [...missing.values()];
    const receivers = await receiversOf(
      this.database,
      events.map(({ endpoint_id }) => endpoint_id),
    );
    await writeAll(
      this.producer,
      events.map((event) => deliveryOf(event, event.endpoint_id, receivers.get(event.endpoint_id))),
    );
    metrics.fannedOut.inc(events.length);
    return events.length;
  }
}
