import { Inject, Injectable, Logger } from '@nestjs/common';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import type { OutRecord } from '#common/records/record.js';
import { writeFailures } from './metrics.js';

/** Between two tries of a record that its topic refuses. */
const REFUSED_PAUSE_MS = 5_000;

/**
 * Writes what leaves a tier, and keeps at it until it is safe: after a lost answer a record is written again, never
 * dropped. Records handed over in one turn of the event loop, or while a request is under way, share the next request.
 */
@Injectable()
export class Returner {
  private readonly logger = new Logger(Returner.name);
  private underWay = 0;
  private whenIdle: (() => void)[] = [];

  constructor(@Inject(RECORD_WRITER) private readonly writer: RecordWriter) {}

  /** @returns true once the record is stored; false when its source partition was lost first, and its next owner sees to it */
  async bring(record: OutRecord, source: OwnedLog): Promise<boolean> {
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

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    if (this.underWay > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  private async isWritten(record: OutRecord): Promise<boolean> {
    try {
      await this.writer.write([record]);
      return true;
    } catch (error) {
      // Too large for its topic now: only an operator can make it fit. Its offset stays unfinished, its memory reserved.
      writeFailures.inc({ topic: record.topic });
      this.logger.error({ err: error, topic: record.topic }, 'return.refused');
      return false;
    }
  }
}

/** Ends early when aborted. */
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
