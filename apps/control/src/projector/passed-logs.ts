import { Logger } from '@nestjs/common';
import type { OwnedGenerations } from '#common/generations/owned-generations.js';
import type { OwnedLog, PassedOffsets } from '#common/kafka/port/owned-log.js';
import type { ProjectionWriter } from './projection-writer.js';

/** The logs whose reading ended behind their last record, until the projector's offsets say so. */
export class PassedLogs {
  private readonly logger = new Logger(PassedLogs.name);
  private readonly passed = new Map<OwnedLog, PassedOffsets>();

  constructor(
    private readonly writer: Pick<ProjectionWriter, 'pass'>,
    private readonly generations: Pick<OwnedGenerations, 'of'>,
  ) {}

  get size(): number {
    return this.passed.size;
  }

  note(log: OwnedLog, offsets: PassedOffsets): void {
    if (offsets.next > offsets.after) this.passed.set(log, offsets);
    else this.passed.delete(log);
  }

  lose(log: OwnedLog): void {
    this.passed.delete(log);
  }

  /**
   * Stores the ends of those logs whose records are all written. Never rejects.
   *
   * @returns false when PostgreSQL does not answer; they are kept for the next time
   */
  async store(isWritten: (log: OwnedLog) => boolean): Promise<boolean> {
    const written = [...this.passed].filter(([log]) => isWritten(log));
    if (written.length === 0) return true;
    try {
      await this.writer.pass(
        written.map(([log, { after, next }]) => {
          return { topic: log.topic, partition: log.partition, generation: this.generations.of(log), after, next };
        }),
      );
    } catch (error) {
      this.logger.debug({ err: error }, 'projector.passage_not_stored');
      return false;
    }
    for (const [log, offsets] of written) if (this.passed.get(log) === offsets) this.passed.delete(log);
    return true;
  }
}
