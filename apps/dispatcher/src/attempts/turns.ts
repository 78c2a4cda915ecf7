import { Inject, Injectable, Logger } from '@nestjs/common';
import { RecentSet } from '#common/collections/recent-set.js';
import { hopFor } from '#common/domain/tier.js';
import type { DeadReason } from '#common/domain/verdict.js';
import { RECORD_WRITER, type RecordWriter } from '#common/kafka/port/record-writer.js';
import type { Delivery } from '../deliveries/delivery.js';
import { Gates } from '../endpoints/gates.js';
import { Attempts } from './attempts.js';
import * as metrics from './metrics.js';
import { type Outcome, waitingRecord } from './outcome.js';

/** DI token of {@link TurnLimits}. */
export const TURN_LIMITS = Symbol('TurnLimits');

export interface TurnLimits {
  /** Maximum number of finished attempts that are remembered, to recognise repeats. */
  readonly recentDeliveries: number;
}

/** How a turn ended: with the outcome of its attempt; or as a `repeat` of an attempt that this process finished recently. */
export type TurnEnd = Outcome | 'repeat';

/** Why a delivery is given up without an attempt. */
export interface GivenUp {
  readonly reason: DeadReason;
  readonly detail: string;
}

/** A lane that requests a turn. Unless its log is lost, {@link Turns} calls `ended` or `withdrawn` once per request. */
export interface TurnTaker {
  /** The gate admitted the attempt. */
  began(): void;
  ended(end: TurnEnd): void;
  /** The dispatcher sent nothing, because the endpoint is on hold, perhaps only for a missing key. */
  withdrawn(): void;
}

/**
 * Makes the turns of deliveries: waits for the endpoint's gate, makes one attempt, and writes the outcome's records.
 * An attempt leaves the gate when the endpoint has answered, before Kafka acknowledges the records.
 */
@Injectable()
export class Turns {
  private readonly logger = new Logger(Turns.name);
  private readonly recent: RecentSet;

  constructor(
    private readonly gates: Gates,
    private readonly attempts: Attempts,
    @Inject(RECORD_WRITER) private readonly producer: RecordWriter,
    @Inject(TURN_LIMITS) limits: TurnLimits,
  ) {
    this.recent = new RecentSet(limits.recentDeliveries);
  }

  /** @param isProbe whether this attempt is the probe of a half-open breaker */
  request(delivery: Delivery, isProbe: boolean, taker: TurnTaker): void {
    if (this.recent.has(attemptKey(delivery))) {
      metrics.repeats.inc();
      taker.ended('repeat');
      return;
    }
    this.gates.of(delivery.meta.endpointId).ask({
      log: delivery.log,
      parkedAt: delivery.parkedAt,
      isProbe,
      begin: () => void this.attempt(delivery, taker),
      withdraw: () => taker.withdrawn(),
    });
  }

  /**
   * Writes the records of the outcome. A retry's outcome includes the record for its tier.
   *
   * @throws when Kafka does not acknowledge them. The record then stays unfinished, and the next owner reads it
   */
  async store(delivery: Delivery, end: TurnEnd): Promise<void> {
    if (end === 'repeat') return;
    try {
      await this.producer.write(end.records);
      this.recent.add(attemptKey(delivery));
    } catch (error) {
      this.logger.error({ err: error, delivery_id: delivery.meta.deliveryId }, 'delivery.not_stored');
      throw error;
    }
  }

  /** Writes the dead letter of a delivery that is given up without an attempt. @throws when Kafka does not acknowledge it */
  async giveUp(delivery: Delivery, why: GivenUp): Promise<void> {
    await this.producer.write([this.attempts.givenUp(delivery, why)]);
  }

  /**
   * Writes a head to its tier with the due time of its lane row. The former owner may have crashed before it wrote this
   * record (docs/lane-protocol.md, rule 2).
   *
   * @param dueAt ms since the epoch
   * @throws when Kafka does not acknowledge it
   */
  async handOverAgain(delivery: Delivery, dueAt: number): Promise<void> {
    const now = Date.now();
    metrics.repeatedHandOvers.inc();
    await this.producer.write([waitingRecord(delivery, hopFor(dueAt - now, now))]);
  }

  private async attempt(delivery: Delivery, taker: TurnTaker): Promise<void> {
    if (delivery.parkedAt !== undefined) metrics.drained.inc();
    const gate = this.gates.of(delivery.meta.endpointId);
    taker.began();
    let outcome: Outcome | undefined;
    try {
      outcome = await this.attempts.make(delivery);
    } finally {
      gate.leave();
    }
    if (delivery.log.lost.aborted) return;
    if (outcome === undefined) taker.withdrawn();
    else taker.ended(outcome);
  }
}

/** Key of an attempt. Two records of the same attempt in the same life of a delivery have the same key. */
function attemptKey({ meta }: Delivery): string {
  return `${meta.deliveryId}/${meta.attempt}/${meta.replay}`;
}
