import { decodeAttempt } from '#common/records/attempt-record.js';
import { hasDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC, DELIVERIES_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import { logName } from './broker.js';
import type { Ground } from './ground.js';

interface Life {
  isDelivered: boolean;
  isDead: boolean;
  /** Number of attempts, by the stored records. */
  attempts: number;
  /** Append time of its last record in `deliveries` and the tiers, by number of attempts. */
  readonly lastCopy: Map<number, number>;
}

/** The state of each life of each delivery by all topics, and whether a record is still needed. */
export class Lives {
  private readonly lives = new Map<string, Life>();
  private readonly overIds = new Set<string>();
  private readonly acceptedIds = new Set<string>();
  private readonly deadIds = new Set<string>();
  private readonly appendedAt = new Map<InRecord, number>();
  private appends = 0;
  readonly replays = new Set<string>();

  constructor(private readonly ground: Pick<Ground, 'broker' | 'lanes' | 'projection'>) {}

  /** @returns the life that the record belongs to */
  appended(record: InRecord): 'retry' | 'dead' | undefined {
    const order = ++this.appends;
    if (record.topic === ATTEMPTS_TOPIC) {
      const decoded = decodeAttempt(record.value);
      if ('problem' in decoded) throw new Error(`${record.topic}@${record.offset}: ${decoded.problem}`);
      if (decoded.outcome === 'delivered') this.end(decoded.delivery_id, decoded.replay, 'isDelivered');
      return undefined;
    }
    this.appendedAt.set(record, order);
    const { id, replay, attempt, isReplay } = identityOf(record);
    if (isReplay) this.replays.add(`${id}/${replay}`);
    if (record.topic === DLQ_TOPIC) {
      this.end(id, replay, 'isDead');
      return 'dead';
    }
    const life = this.life(id, replay);
    life.attempts = Math.max(life.attempts, attempt);
    life.lastCopy.set(attempt, order);
    return record.topic === DELIVERIES_TOPIC ? undefined : 'retry';
  }

  accepted(id: string): void {
    this.acceptedIds.add(id);
  }

  wasAccepted(id: string): boolean {
    return this.acceptedIds.has(id);
  }

  isDead(id: string): boolean {
    return this.deadIds.has(id);
  }

  /** Delivered or dead, in any life. */
  isOver(id: string): boolean {
    return this.overIds.has(id);
  }

  isLifeOver(id: string, replay: number): boolean {
    const { isDelivered, isDead } = this.life(id, replay);
    return isDelivered || isDead;
  }

  /** The record's delivery is over, or another stored record carries it. */
  isSafe(record: InRecord): boolean {
    const { topic, partition, offset, key } = record;
    if (topic === ATTEMPTS_TOPIC || topic === DLQ_TOPIC) {
      return (this.ground.projection.nextOffsets.get(logName(topic, partition)) ?? 0) > offset;
    }
    const { id, replay, attempt, place } = identityOf(record);
    const life = this.life(id, replay);
    if (life.isDelivered || life.isDead || life.attempts > attempt) return true;
    const isParked = this.ground.lanes
      .log(logName(DELIVERIES_TOPIC, partition))
      .parkedAt(key?.toString() ?? '', place ?? offset);
    if (topic === DELIVERIES_TOPIC && isParked) return true;
    return (life.lastCopy.get(attempt) ?? 0) > (this.appendedAt.get(record) ?? 0);
  }

  private life(id: string, replay: number): Life {
    const key = `${id}/${replay}`;
    const known = this.lives.get(key);
    if (known) return known;
    const life = { isDelivered: false, isDead: false, attempts: 0, lastCopy: new Map<number, number>() };
    this.lives.set(key, life);
    return life;
  }

  private end(id: string, replay: number, how: 'isDelivered' | 'isDead'): void {
    this.life(id, replay)[how] = true;
    this.overIds.add(id);
    if (how === 'isDead') this.deadIds.add(id);
  }
}

function identityOf(record: InRecord) {
  const meta = decodeDelivery(record.headers[DELIVERY_HEADER]);
  if (meta === undefined) throw new Error(`${record.topic}@${record.offset} is no delivery`);
  const isReplay = record.topic === DELIVERIES_TOPIC && hasDeadLetterHeaders(record.headers);
  return {
    id: meta.deliveryId,
    replay: meta.replay + (isReplay ? 1 : 0),
    attempt: isReplay ? 0 : meta.attempt,
    place: meta.returned && !isReplay ? meta.place : undefined,
    isReplay,
  };
}
