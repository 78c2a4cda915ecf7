import { Inject, Injectable, Logger } from '@nestjs/common';
import { RECORD_WRITER, RecordTooLargeError, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/port/settings.js';
import type { Queryable } from '#common/postgres/database.js';
import { hasDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { OutRecord } from '#common/records/record.js';
import { readHeaders } from '#common/records/stored-headers.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { ConfigurationPublisher, isConfiguration } from '../configuration/publisher.js';
import { setAsideRows } from './metrics.js';
import { type OutboxRow, recordOf } from './outbox-row.js';

/** Bytes of a row in `dlq`, far below the largest batch of any topic. A larger row is cut. */
const MAX_POISON_BYTES = 65_536;

interface Sendable {
  readonly row: OutboxRow;
  readonly record: OutRecord;
}

/**
 * Writes rows of the outbox to Kafka. A row that Kafka can never take is set aside in `dlq`, with its reason, and the
 * others of its page are written: it must not hold them up.
 */
@Injectable()
export class OutboxWriter {
  private readonly logger = new Logger(OutboxWriter.name);

  constructor(
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    @Inject(KAFKA_SETTINGS) private readonly settings: Pick<KafkaSettings, 'topics'>,
    @Inject(ConfigurationPublisher) private readonly configuration: Pick<ConfigurationPublisher, 'finish'>,
  ) {}

  /** Resolves when each row is written or set aside, and may be deleted. */
  async write(db: Queryable, rows: readonly OutboxRow[]): Promise<void> {
    const sendable: Sendable[] = [];
    for (const row of rows) {
      const record = recordOf(row, this.settings);
      if (typeof record === 'string') await this.setAside(db, row, record);
      else sendable.push({ row, record });
    }
    if (await this.isSent(sendable)) return;
    for (const each of sendable) {
      if (!(await this.isSent([each]))) await this.setAside(db, each.row, `${each.row.topic} refuses it as too large`);
    }
  }

  /** @returns false when the topic refuses one of the records: its limit is lower than the configured one */
  private async isSent(sendable: readonly Sendable[]): Promise<boolean> {
    try {
      await this.producer.write(await this.configuration.finish(sendable.map(({ record }) => record)));
      return true;
    } catch (error) {
      if (error instanceof RecordTooLargeError) return false;
      throw error;
    }
  }

  private async setAside(db: Queryable, row: OutboxRow, problem: string): Promise<void> {
    const { seq, topic, key, value } = row;
    setAsideRows.inc({ topic });
    this.logger.error({ seq, topic, problem }, 'outbox.row_set_aside');
    // A record of configuration can be made again from its tables.
    if (isConfiguration(topic)) return;
    const headers = readHeaders(row.headers) ?? {};
    const nowMs = Date.now();
    const record = { topic: 'outbox', partition: 0, offset: seq, timestamp: nowMs, key, value, headers };
    await this.producer.write([poisonRecord(record, `a record for ${topic}: ${problem}`, nowMs, MAX_POISON_BYTES)]);
    if (topic === DELIVERIES_TOPIC) await endLife(db, headers);
  }
}

/** The delivery whose life the record should have begun would be pending without end. */
async function endLife(db: Queryable, headers: Readonly<Record<string, Buffer>>): Promise<void> {
  const meta = decodeDelivery(headers[DELIVERY_HEADER]);
  if (meta === undefined) return;
  const replay = hasDeadLetterHeaders(headers) ? meta.replay + 1 : meta.replay;
  await db.query(
    `UPDATE deliveries SET status = 'dead', dead_reason = 'payload_error', updated_at = now()
     WHERE id = $1 AND accepted_at = $2 AND replay = $3 AND status = 'pending'`,
    [meta.deliveryId, new Date(meta.acceptedAt), replay],
  );
}
