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
import { EndpointIndex } from './endpoint-index.js';
import { deliveryOf } from './fan-out.js';

const DAY_MS = 86_400_000;
/** No record of `ingest` or `deliveries` is kept longer. */
const LOOK_BACK_MS = 8 * DAY_MS;
/** Clocks of brokers and of PostgreSQL differ by less. */
const CLOCKS_MS = 1_000;
const EVENTS_AT_ONCE = 1_000;
/** Event bodies that one reading of `deliveries` is done for. */
const MAX_HELD_BYTES = 16 * 1_024 * 1_024;

/**
 * The generation of `ingest`. After a new log, the router first writes the deliveries that the lost one leaves behind: of
 * events that it archived and had not fanned out. No other process has those events, and their records are gone.
 *
 * `deliveries` itself says which deliveries it has. An event without an outcome may have been delivered since.
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
    private readonly endpoints: EndpointIndex,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
  ) {}

  of(topic: string): Promise<number> {
    return this.generations.of(topic);
  }

  /** Of the records of one partition. @throws when Kafka or PostgreSQL does not answer; to be called again */
  positionsOf(log: TakenLog, generation: number): Promise<Positions> {
    return this.positions.of(log, generation);
  }

  /**
   * Resolves when the partition of a new log may be read: `endpoints` is whole, and no delivery of the lost log is missing.
   *
   * @throws when Kafka or PostgreSQL does not answer; to be called again
   */
  async complete({ partition, partitions, lost }: OwnedLog, generation: number): Promise<void> {
    if (generation === 0) return;
    await this.endpoints.complete();
    while (!lost.aborted && (await mayLackDeliveries(this.database, generation, partition))) {
      this.asked.add(partition);
      this.passing ??= this.pass(generation, partitions).finally(() => {
        this.passing = undefined;
      });
      await this.passing;
    }
  }

  /**
   * Resolves when no delivery of a lost tail's events is missing. Their records are gone, so no router reads them again.
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

  /** When the record before the lost tail was appended: no record of the tail is older. */
  private async tailSinceMs(partition: number, positions: Positions, lostFrom: number): Promise<number> {
    const oldest = Date.now() - LOOK_BACK_MS;
    if (lostFrom === 0) return oldest;
    const before = await acceptedUpTo(this.database, partition, positions.of(lostFrom - 1));
    return Math.max(oldest, (before ?? oldest) - CLOCKS_MS);
  }

  /** All partitions of one assignment share a pass. Killed half-way, it finds in `deliveries` what it wrote before. */
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
   * Events archived earlier belong to the dispatchers: `deliveries` itself was lost after that, and is carried over.
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

  /** @returns deliveries in the order of acceptance, as many as may be held, and where the next ones begin */
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

  /** @returns how many were not in `deliveries` */
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
