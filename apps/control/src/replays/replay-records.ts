import { Inject, Injectable, Logger } from '@nestjs/common';
import { KAFKA_SETTINGS, type KafkaSettings, maxBatchBytesOf } from '#common/kafka/port/settings.js';
import { GROWTH_BYTES, MAX_COUNT, recordBytes } from '#common/records/limits.js';
import type { OutRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { refusedReplays } from './metrics.js';
import { type ReplayedLetter, replayRecord } from './replay-record.js';

/** A stored dead letter that is to go back. */
export interface ReplayableLetter extends ReplayedLetter {
  readonly id: string;
  /** Of its life; null for the first one. */
  readonly replay: number | null;
}

/** Makes the records of replays. A dead letter that no dispatcher could take again is refused before its next life begins. */
@Injectable()
export class ReplayRecords {
  private readonly logger = new Logger(ReplayRecords.name);
  private readonly maxBytes: number;

  constructor(
    private readonly signer: DeadLetterSigner,
    @Inject(KAFKA_SETTINGS) settings: Pick<KafkaSettings, 'topics'>,
  ) {
    this.maxBytes = (maxBatchBytesOf(settings, DELIVERIES_TOPIC) ?? Number.POSITIVE_INFINITY) - GROWTH_BYTES;
  }

  /** @returns the record of the next life; or why there is none, for people */
  of(letter: ReplayableLetter): OutRecord | string {
    const record = replayRecord(letter, this.signer);
    const problem = this.problemOf(record, letter.replay ?? 0);
    if (problem === undefined) return record;
    refusedReplays.inc();
    this.logger.error({ dead_letter_id: letter.id, problem }, 'replay.refused');
    return problem;
  }

  private problemOf(record: OutRecord, replay: number): string | undefined {
    const bytes = recordBytes(record);
    if (bytes > this.maxBytes)
      return `the dead letter cannot be replayed: its record has ${bytes} bytes, deliveries takes ${this.maxBytes}`;
    if (replay >= MAX_COUNT)
      return `the dead letter cannot be replayed: it was replayed ${replay} times, the most there is`;
    return undefined;
  }
}
