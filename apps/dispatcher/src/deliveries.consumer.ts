import { Controller, Inject, Logger } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import type { Positions } from '#common/domain/positions.js';
import { earlyMs, hopFor, MAX_EARLY_MS } from '#common/domain/tier.js';
import type { FencedLog, LogBatch, OwnedLog } from '#common/kafka/port/owned-log.js';
import { partitionOf } from '#common/kafka/port/partitioner.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { deadLetters } from '#common/metrics/dead-letters.js';
import { misplacedRecords } from '#common/metrics/misplaced-records.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { waitingAgain } from './attempts/outcome.js';
import { readDelivery } from './deliveries/delivery.js';
import { RECORD_LIMITS, type RecordLimits } from './deliveries/record-limits.js';
import { ReplayCheck } from './deliveries/replay-check.js';
import { DeliveryEngine } from './delivery-engine.js';
import { Deferrals } from './endpoints/deferrals.js';

/**
 * Reads `deliveries` and hands every delivery to the engine. Poison records become dead letters. Records on the wrong
 * partition are produced to the right one.
 */
@Controller()
export class DeliveriesConsumer {
  private readonly logger = new Logger(DeliveriesConsumer.name);

  constructor(
    private readonly engine: DeliveryEngine,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    @Inject(RECORD_LIMITS) private readonly limits: RecordLimits,
    private readonly replays: ReplayCheck,
    private readonly deferrals: Deferrals,
  ) {
    deferrals.listen((log, record) => this.takeAgain(log, record));
  }

  @EventPattern(DELIVERIES_TOPIC)
  take(@Payload() { log, records }: LogBatch & { log: FencedLog }): void {
    const positions = this.engine.positionsOf(log);
    // The log is lost: its next owner reads these records again.
    if (positions === undefined) return;
    for (const record of records) this.takeOne(log, record, positions);
  }

  /** A deferred record was read again, and its endpoint has room. */
  private takeAgain(log: FencedLog, record: InRecord): void {
    const positions = this.engine.positionsOf(log);
    if (positions !== undefined) this.takeOne(log, record, positions, true);
  }

  private readonly replayProblem = (record: InRecord) => this.replays.problem(record);

  /** @param isAgain whether the record was deferred before */
  private takeOne(log: FencedLog, record: InRecord, positions: Positions, isAgain = false): void {
    const { batchBytes: maxBatchBytes } = this.limits;
    const delivery = readDelivery(log, record, { positions, maxBatchBytes, replayProblem: this.replayProblem });
    if ('detail' in delivery) {
      deadLetters.inc({ reason: 'payload_error' });
      void this.replace(log, record, poisonRecord(record, delivery.detail, Date.now(), this.limits.batchBytes));
    } else if (partitionOf(delivery.lane, log.partitions) !== log.partition) {
      // A lane has one owner only while all of its records are on the partition of its key.
      misplacedRecords.inc();
      void this.replace(log, record, { ...record, topic: DELIVERIES_TOPIC });
    } else {
      const { returned, dueAt = 0 } = delivery.meta;
      const nowMs = Date.now();
      const aheadMs = returned ? earlyMs(dueAt, { appendedAt: record.timestamp, nowMs }) : 0;
      if (aheadMs > MAX_EARLY_MS) void this.replace(log, record, waitingAgain(delivery, hopFor(aheadMs, nowMs)));
      else if (isAgain || !this.deferrals.defers(delivery)) this.engine.accept(delivery, record.timestamp);
    }
  }

  /** Writes another record in place of this one. Its offset finishes when Kafka acknowledged the other. */
  private async replace(log: OwnedLog, record: InRecord, out: OutRecord): Promise<void> {
    try {
      await this.producer.write([out]);
      log.finish(record.offset);
    } catch (error) {
      this.logger.error({ err: error, partition: log.partition, offset: record.offset }, 'record.not_passed_on');
    }
  }
}
