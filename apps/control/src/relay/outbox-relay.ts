import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/port/settings.js';
import { Database, type Session } from '#common/postgres/database.js';
import { CONFIGURATION_TOPICS } from '../changes/configuration-topics.js';
import { ConfigurationPublisher, isConfiguration } from '../configuration/publisher.js';
import { OUTBOX_CHANNEL_SQL } from '../outbox/outbox.js';
import { SchemaState } from '../schema/schema-state.js';
import { Wake } from '../shared/wake.js';
import { outboxRecords } from './metrics.js';
import type { OutboxRow } from './outbox-row.js';
import { OutboxWriter } from './outbox-writer.js';

const PAGE = 500;
/** The relay reads the outbox, or tries the lock, at least this often. It may miss a notification, and a free lock sends none. */
const POLL_MS = 500;
const RETRY_MS = 1_000;
const STOP_MS = 2_000;
const LOCK_SQL = `SELECT pg_try_advisory_lock(hashtextextended('posthorn.outbox.' || current_schema(), 0)) AS held`;

/**
 * Writes the records of the outbox to Kafka: in order, at least once, and by one process at a time, under a
 * session lock. A row is deleted after Kafka has acknowledged it, or after it
 * was set aside.
 */
@Injectable()
export class OutboxRelay implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(OutboxRelay.name);
  private readonly stopping = new AbortController();
  private readonly wake = new Wake();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly writer: OutboxWriter,
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    private readonly schema: SchemaState,
    private readonly configuration: ConfigurationPublisher,
  ) {
    configuration.onWork(() => this.wake.call());
  }

  onApplicationBootstrap(): void {
    const prepared = Promise.all([this.schema.ready, this.settings.topicsReady]);
    this.running = prepared.then(() => this.run());
  }

  /** Records without an acknowledgement stay in the outbox. */
  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    this.wake.call();
    await Promise.race([this.running, sleep(STOP_MS, undefined, { ref: false })]);
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.holdSession();
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.logger.warn({ err: error }, 'outbox.interrupted');
        await this.wake.wait(RETRY_MS);
      }
    }
  }

  private async holdSession(): Promise<void> {
    const session = await this.database.openSession();
    session.ended.addEventListener('abort', () => this.wake.call());
    session.onNotification(() => this.wake.call());
    try {
      const ends = AbortSignal.any([this.stopping.signal, session.ended]);
      if (await this.acquireLock(session, ends)) await this.relay(session, ends);
    } finally {
      await session.close();
    }
  }

  /** @returns false when stopped or disconnected before the lock was free */
  private async acquireLock(session: Session, ends: AbortSignal): Promise<boolean> {
    while (!ends.aborted) {
      const [row] = await session.query<{ held: boolean }>(LOCK_SQL);
      if (row?.held) return true;
      await this.wake.wait(POLL_MS);
    }
    return false;
  }

  private async relay(session: Session, ends: AbortSignal): Promise<void> {
    const [row] = await session.query<{ channel: string }>(`SELECT ${OUTBOX_CHANNEL_SQL} AS channel`);
    await session.query(`LISTEN "${row?.channel}"`);
    this.configuration.begin();
    while (!ends.aborted) {
      const mayPublish = await this.isAnswered(session, () => this.configuration.round(session));
      const skipped = mayPublish ? [] : CONFIGURATION_TOPICS;
      if ((await this.relayPage(session, skipped)) < PAGE) await this.wake.wait(POLL_MS);
    }
  }

  /** While a configuration topic cannot be read, configuration records stay in the outbox. The relay still writes all others. */
  private async isAnswered(session: Session, question: () => Promise<boolean>): Promise<boolean> {
    try {
      return await question();
    } catch (error) {
      if (session.ended.aborted) throw error;
      this.logger.warn({ err: error }, 'outbox.configuration_waits');
      return false;
    }
  }

  /**
   * @param skipped topics whose records stay in the outbox
   * @returns the number of rows that the relay wrote or set aside, at most a page
   */
  private async relayPage(session: Session, skipped: readonly string[]): Promise<number> {
    const rows = await session.query<OutboxRow>(
      'SELECT * FROM outbox WHERE topic <> ALL ($2::text[]) ORDER BY seq LIMIT $1',
      [PAGE, skipped],
      'outbox-page',
    );
    outboxRecords.set(rows.length);
    if (rows.length === 0) return 0;
    const hasConfiguration = rows.some(({ topic }) => isConfiguration(topic));
    // Asked just before configuration is written: the topics may have been made again since the round.
    if (hasConfiguration && !(await this.isAnswered(session, () => this.configuration.isPresent())))
      return this.relayPage(session, CONFIGURATION_TOPICS);
    await this.writer.write(session, rows);
    await session.query(
      'DELETE FROM outbox WHERE seq = ANY($1::bigint[])',
      [rows.map(({ seq }) => seq)],
      'outbox-done',
    );
    outboxRecords.dec(rows.length);
    return rows.length;
  }
}
