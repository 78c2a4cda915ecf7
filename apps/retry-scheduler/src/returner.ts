import { Inject, Injectable, Logger } from '@nestjs/common';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import type { OutRecord } from '#common/records/record.js';
import { writeFailures } from './metrics.js';

/** Pause between two writes of a record that its topic rejects. */
const REFUSED_PAUSE_MS = 5_000;

/**
 * Writes the records that leave a tier, until Kafka acknowledges them: without an acknowledgement, the record is
 * written again. Records passed in one turn of the event loop, or while a request is in flight, share the next request.
 */
@Injectable()
export class Returner {
  private readonly logger = new Logger(Returner.name);
  private underWay = 0;
  private whenIdle: (() => void)[] = [];

  constructor(@Inject(RECORD_WRITER) private readonly writer: RecordWriter) {}

  /**
   * @returns true once Kafka acknowledged the record; false when the source partition was lost first. Its next owner
   * retries
   */
  async writeUntilStored(record: OutRecord, source: OwnedLog): Promise<boolean> {
    this.underWay++;
    try {
      while (!source.lost.aborted) {
        if (await this.isWritten(record)) return true;
        await pause(REFUSED_PAUSE_MS, source.lost);
      }
      return false;
    } finally {
      this.underWay--;
      if (this.underWay === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
    }
  }

  /** Resolves when no write is in flight. */
  async idle(): Promise<void> {
    if (this.underWay > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  private async isWritten(record: OutRecord): Promise<boolean> {
    try {
      await this.writer.write([record]);
      return true;
    } catch (error) {
      // The record is too large for its topic: only an operator can raise the limit. Until then its offset stays
      // unfinished.
      writeFailures.inc({ topic: record.topic });
      this.logger.error({ err: error, topic: record.topic }, 'return.refused');
      return false;
    }
  }
}

/** Waits, or returns early when `ended` is aborted. */
function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
