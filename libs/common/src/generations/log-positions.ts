import { Injectable, Logger } from '@nestjs/common';
import { Positions } from '../domain/positions.js';
import type { ReadExtent } from '../domain/start-offset.js';
import type { FencedLog } from '../kafka/port/owned-log.js';
import { Database, type Queryable } from '../postgres/database.js';
import { enqueueMarker, latestGenerations, lockGenerations } from '../postgres/generation-store.js';
import { highestPositions } from '../postgres/log-evidence.js';
import {
  fromRow,
  highestLostTail,
  lostTails,
  nextGeneration,
  type StoredLostTail,
  storeLostTails,
  toRecord,
} from '../postgres/lost-tail-store.js';
import { GenerationMarkers } from './generation-markers.js';

/** A log that its new owner takes over. */
export type TakenLog = Pick<FencedLog, 'topic' | 'partition' | 'extent' | 'askExtent'>;

/**
 * Positions of the records of a partition. A partition that lost its tail begins a new generation at the first lost record:
 * the positions of lost records are lower than those of all later records.
 */
@Injectable()
export class LogPositions {
  private readonly logger = new Logger(LogPositions.name);

  constructor(
    private readonly database: Database,
    private readonly markers: GenerationMarkers,
  ) {}

  /**
   * Called by a new owner before it reads the first record.
   *
   * @param generation of the log
   * @throws when Kafka or PostgreSQL does not answer; to be called again
   */
  async of(log: TakenLog, generation: number): Promise<Positions> {
    const { topic, partition } = log;
    const stored = await this.stored({ topic, generation });
    const tails = stored.filter((tail) => tail.partition === partition);
    const positions = new Positions(generation, tails);
    const found = await this.findLoss(log, positions, tails.at(-1));
    return found === undefined ? positions : this.begin(log, generation, found);
  }

  /** A restored database may lack tails that the marker knows. */
  private async stored(log: { topic: string; generation: number }): Promise<StoredLostTail[]> {
    const marker = this.markers.of(log.topic);
    const stored = await lostTails(this.database, log);
    if (marker?.generation !== log.generation || !marker.lost_tails?.length) return stored;
    if (this.markers.highestOf(log.topic) <= (await highestLostTail(this.database, log.topic))) return stored;
    await storeLostTails(this.database, log, marker.lost_tails.map(fromRow));
    return lostTails(this.database, log);
  }

  /**
   * Whether the log lost records that have positions. Its commit says so, or PostgreSQL knows a record that the log does not
   * have. A former owner may have stored that record after this owner asked for the end of the log, so the log is asked again.
   */
  private async findLoss(
    log: TakenLog,
    positions: Positions,
    last: StoredLostTail | undefined,
  ): Promise<ReadExtent | undefined> {
    const { topic, partition, extent } = log;
    if (extent.isTailLost && !isOf(last, extent)) return extent;
    const highest = await highestPositions(this.database, topic);
    const position = highest.find((each) => each.partition === partition)?.position ?? -1;
    if (position < positions.of(extent.sameUpTo)) return undefined;
    const now = await log.askExtent();
    return position < positions.of(now.sameUpTo) ? undefined : now;
  }

  private begin(log: TakenLog, generation: number, found: ReadExtent): Promise<Positions> {
    const { topic, partition } = log;
    return this.database.transaction(async (tx) => {
      await lockGenerations(tx, topic);
      const number = await nextGeneration(tx, topic, Math.max(generation, this.markers.highestOf(topic)));
      const { sameUpTo: fromOffset, leaderEpoch } = found;
      await storeLostTails(tx, { topic, generation }, [{ partition, fromOffset, generation: number, leaderEpoch }]);
      const tails = await lostTails(tx, { topic, generation });
      await announce(tx, topic, tails);
      this.logger.error({ topic, partition, from_offset: fromOffset, generation: number }, 'generation.tail_lost');
      return new Positions(
        generation,
        tails.filter((tail) => tail.partition === partition),
      );
    });
  }
}

/** An owner that was killed before its first commit leaves the tail that it found to its successor, who finds it again. */
function isOf(last: StoredLostTail | undefined, { sameUpTo, leaderEpoch }: ReadExtent): boolean {
  return last?.fromOffset === sameUpTo && last.leaderEpoch === leaderEpoch;
}

async function announce(tx: Queryable, topic: string, tails: readonly StoredLostTail[]): Promise<void> {
  const [latest] = await latestGenerations(tx, [topic]);
  if (latest === undefined || latest.topicId === null || latest.partitions === null) return;
  const { generation, topicId, partitions } = latest;
  const lost_tails = tails.map(toRecord);
  await enqueueMarker(tx, { v: 1, topic, topic_id: topicId, partitions, generation, lost_tails });
}
