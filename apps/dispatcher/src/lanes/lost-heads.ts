import { Inject, Injectable, Logger } from '@nestjs/common';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import { Database } from '#common/postgres/database.js';
import { overdueHeads } from '#common/postgres/overdue-heads.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { delay } from '#common/timing/timing.js';
import { EndpointDirectory } from '../endpoints/endpoint-directory.js';

const RETRY_MS = 1_000;

/**
 * A lane waits for its head to return. If retention removed records of the log, the head may be among them, and its lane would
 * never continue. So every head that is due is made again from the archive and written to the log.
 */
@Injectable()
export class LostHeads {
  private readonly logger = new Logger(LostHeads.name);

  constructor(
    private readonly database: Database,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    private readonly directory: EndpointDirectory,
  ) {}

  /**
   * Retries until the heads are written, or the log is lost.
   *
   * @param areOrphans whether no attempt of this owner is in flight yet: heads that were in flight are lost, too
   */
  async restore(log: OwnedLog, areOrphans = false): Promise<void> {
    const name = `${log.topic}/${log.partition}`;
    while (!log.lost.aborted) {
      try {
        const payloadOf = (endpointId: string) => this.directory.recordOf(endpointId)?.payload;
        const heads = await overdueHeads(this.database, name, payloadOf, areOrphans);
        await this.producer.write(
          heads.map(({ lane, header, body }) => ({
            topic: DELIVERIES_TOPIC,
            key: lane,
            value: body,
            headers: { [DELIVERY_HEADER]: header },
          })),
        );
        if (heads.length > 0) this.logger.warn({ log: name, heads: heads.length }, 'heads.put_back');
        return;
      } catch (error) {
        this.logger.warn({ err: error, log: name }, 'heads.not_put_back');
        await delay(RETRY_MS);
      }
    }
  }
}
