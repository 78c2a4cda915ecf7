import { Logger } from '@nestjs/common';
import type { OwnedLog } from '../kafka/port/owned-log.js';
import { delay } from '../timing/timing.js';
import type { Generations } from './generations.js';

const PREPARING = 'preparing';
const RETRY_MS = 500;

/** The generations of the logs that one consumer owns. A log is paused until its generation is known. */
export class OwnedGenerations {
  private readonly logger = new Logger(OwnedGenerations.name);
  private readonly known = new Map<OwnedLog, number>();

  constructor(private readonly generations: Pick<Generations, 'of'>) {}

  /**
   * Called before the log's first record is read. Waits for Kafka and PostgreSQL as long as the log is owned.
   *
   * @param prepare runs before the first record
   */
  async take(log: OwnedLog, prepare?: (generation: number) => Promise<void> | undefined): Promise<void> {
    log.pause(PREPARING);
    while (!log.lost.aborted) {
      try {
        const generation = await this.generations.of(log.topic);
        await prepare?.(generation);
        if (log.lost.aborted) return;
        this.known.set(log, generation);
        log.resume(PREPARING);
        return;
      } catch (error) {
        this.logger.warn({ err: error, topic: log.topic, partition: log.partition }, 'generation.unknown');
        await delay(RETRY_MS);
      }
    }
  }

  lose(log: OwnedLog): void {
    this.known.delete(log);
  }

  /** @throws Error for a log whose generation is not known: no record of it may have been read */
  of(log: OwnedLog): number {
    const generation = this.known.get(log);
    if (generation === undefined) throw new Error(`the generation of ${log.topic}/${log.partition} is not known`);
    return generation;
  }
}
