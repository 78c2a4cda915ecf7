import { Inject, Injectable, Logger } from '@nestjs/common';
import { offsetOf } from '../domain/position.js';
import { TIERS } from '../domain/tier.js';
import { KAFKA_CLIENT, type KafkaClient } from '../kafka/port/kafka-client.js';
import { newGenerations } from '../kafka/port/metrics.js';
import type { LogBoundsReader, TopicLog } from '../kafka/port/topics.js';
import { Database, type Queryable } from '../postgres/database.js';
import {
  insertGeneration,
  insertUnknownGeneration,
  latestGenerations,
  lockGenerations,
} from '../postgres/generation-store.js';
import { logEvidence } from '../postgres/log-evidence.js';
import { fromRow, nextGeneration, storeLostTails } from '../postgres/lost-tail-store.js';
import type { LostTailRecord } from '../records/generation-record.js';
import { DELIVERIES_TOPIC, INGEST_TOPIC } from '../records/topics.js';
import { fitsLog } from './fitting.js';
import { GenerationMarkers } from './generation-markers.js';

/** A generation is a topic's id together with its number of partitions. */
export interface Generation extends TopicLog {
  /** Counted from 0. */
  readonly number: number;
}

/** Waiting deliveries of these logs enter the next generation; of `ingest`, the deliveries of archived events enter `deliveries`. */
const CARRIED_TOPICS: ReadonlySet<string> = new Set([
  INGEST_TOPIC,
  DELIVERIES_TOPIC,
  ...TIERS.map(({ topic }) => topic),
]);

/**
 * Which generation of its log a topic has now. Kafka says which log it is, PostgreSQL which number that log has. A log that
 * PostgreSQL does not know gets the next number, once, whichever process sees it first.
 */
@Injectable()
export class Generations {
  private readonly logger = new Logger(Generations.name);
  /** Requests under way: the partitions of one assignment share one. */
  private readonly underWay = new Map<string, Promise<ReadonlyMap<string, Generation>>>();

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    private readonly database: Database,
    private readonly markers: GenerationMarkers,
  ) {}

  /** @throws when Kafka or PostgreSQL does not answer */
  async of(topic: string): Promise<number> {
    return (await this.ofAll([topic])).get(topic)?.number ?? 0;
  }

  /** @param topics without prefix @throws when Kafka or PostgreSQL does not answer */
  ofAll(topics: readonly string[]): Promise<ReadonlyMap<string, Generation>> {
    const name = topics.join();
    const asked = this.underWay.get(name) ?? this.ask(topics).finally(() => this.underWay.delete(name));
    this.underWay.set(name, asked);
    return asked;
  }

  private async ask(topics: readonly string[]): Promise<ReadonlyMap<string, Generation>> {
    const identities = await this.kafka.topicLogs(topics);
    const numbers = new Map((await this.known(topics, identities)).map((known) => [known.topic, known]));
    const found = new Map<string, Generation>();
    for (const [topic, identity] of identities) {
      const number = numbers.get(topic)?.generation ?? (await this.register(topic, identity));
      found.set(topic, { ...identity, number });
    }
    return found;
  }

  /** The registered generations that equal Kafka's present logs. */
  private async known(topics: readonly string[], identities: ReadonlyMap<string, TopicLog>) {
    const latest = await latestGenerations(this.database, topics);
    return latest.filter(({ topic, generation, topicId, partitions }) => {
      const identity = identities.get(topic);
      if (identity === undefined || identity.topicId === '' || (this.markers.of(topic)?.generation ?? 0) > generation)
        return false;
      return identity.topicId === topicId && identity.partitions === partitions;
    });
  }

  private async register(topic: string, identity: TopicLog): Promise<number> {
    return this.kafka.withLogBounds((bounds) =>
      this.database.transaction(async (tx) => {
        await lockGenerations(tx, topic);
        const [stored] = await latestGenerations(tx, [topic]);
        const marker = this.markers.of(topic);
        const isMarkerLater = marker !== undefined && marker.generation > (stored?.generation ?? -1);
        const latest = isMarkerLater
          ? { generation: marker.generation, topicId: marker.topic_id, partitions: marker.partitions }
          : stored;
        if (latest === undefined) return this.registerFirst(tx, topic, identity, bounds);
        if (await this.isSame(tx, topic, identity, latest, bounds)) {
          if (isMarkerLater) await this.adopt(tx, topic, identity, latest.generation);
          return latest.generation;
        }
        const number = await nextGeneration(tx, topic, Math.max(latest.generation, this.markers.highestOf(topic)));
        await insert(tx, topic, identity, number, isNothingCarried(topic));
        await this.announce(tx, topic, identity, number, latest);
        return number;
      }),
    );
  }

  /** A database that was restored: the marker knows the log, and the tails it lost. */
  private async adopt(tx: Queryable, topic: string, identity: TopicLog, generation: number): Promise<void> {
    const tails = this.markers.of(topic)?.lost_tails ?? [];
    await insert(tx, topic, identity, generation, isNothingCarried(topic), tails);
    await storeLostTails(tx, { topic, generation }, tails.map(fromRow));
  }

  /** A database that is new, or from before generations were counted. */
  private async registerFirst(
    tx: Queryable,
    topic: string,
    identity: TopicLog,
    bounds: LogBoundsReader,
  ): Promise<number> {
    if (await fits(tx, topic, 0, bounds)) {
      await insert(tx, topic, identity, 0, true);
      this.logger.log({ topic, topic_id: identity.topicId, partitions: identity.partitions }, 'generation.adopted');
      return 0;
    }
    await insertUnknownGeneration(tx, topic, 0);
    await insert(tx, topic, identity, 1, isNothingCarried(topic));
    await this.announce(tx, topic, identity, 1, { generation: 0, topicId: null, partitions: null });
    return 1;
  }

  /** Without topic ids, stored positions decide: they fit the same log. */
  private async isSame(
    tx: Queryable,
    topic: string,
    identity: TopicLog,
    latest: { readonly generation: number; readonly topicId: string | null; readonly partitions: number | null },
    bounds: LogBoundsReader,
  ): Promise<boolean> {
    if (identity.partitions !== latest.partitions) return false;
    if (identity.topicId !== '' && latest.topicId !== '') return identity.topicId === latest.topicId;
    return fits(tx, topic, latest.generation, bounds);
  }

  /** Records that PostgreSQL did not store are lost with the log: the line has the last stored offsets. */
  private async announce(
    tx: Queryable,
    topic: string,
    identity: TopicLog,
    generation: number,
    before: { readonly generation: number; readonly topicId: string | null; readonly partitions: number | null },
  ): Promise<void> {
    const stored = await logEvidence(tx, { topic, generation: before.generation });
    newGenerations.inc({ topic });
    this.logger.error(
      {
        topic,
        generation,
        topic_id: identity.topicId,
        partitions: identity.partitions,
        topic_id_before: before.topicId,
        partitions_before: before.partitions,
        stored_up_to: stored.map(({ partition, position }) => `${partition}/${offsetOf(position)}`),
      },
      'generation.new',
    );
  }
}

function isNothingCarried(topic: string): boolean {
  return !CARRIED_TOPICS.has(topic);
}

async function fits(tx: Queryable, topic: string, generation: number, bounds: LogBoundsReader): Promise<boolean> {
  const evidence = await logEvidence(tx, { topic, generation });
  if (evidence.length === 0) return true;
  return fitsLog(evidence, await bounds.of(topic), (ms) => bounds.firstSince(topic, ms));
}

async function insert(
  tx: Queryable,
  topic: string,
  { topicId, partitions }: TopicLog,
  generation: number,
  isCarried: boolean,
  lostTails: readonly LostTailRecord[] = [],
): Promise<void> {
  const tails = lostTails.length === 0 ? {} : { lost_tails: [...lostTails] };
  await insertGeneration(tx, { v: 1, topic, topic_id: topicId, partitions, generation, ...tails }, isCarried);
}
