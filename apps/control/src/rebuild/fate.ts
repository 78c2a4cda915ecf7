import { isOrderedLane } from '#common/domain/lane.js';
import type { DeliveryStatus } from '../projector/projection.js';

/** A finished record of `deliveries`, with the database's state of its delivery and lane. */
export interface Candidate {
  readonly lane: string;
  readonly place: number;
  /** The life its record began. */
  readonly replay: number;
  /** Undefined when the database knows no outcome of the delivery. */
  readonly known:
    | {
        readonly replay: number;
        readonly status: DeliveryStatus;
        /** Made in this life. */
        readonly attempts: number;
        readonly nextAttemptAt: number | undefined;
      }
    | undefined;
  /** The lane row. With an attempt count, `place` is the head's. Without one, every place up to `place` is over. */
  readonly row: { readonly place: number; readonly attempt: number | undefined } | undefined;
}

/**
 * - `over`: delivered, dead, or superseded by a later life.
 * - `waits`: its record returns from a tier.
 * - `head`: the delivery waits in a tier, and the lane row must name it as head.
 * - `send`: this life has no attempt, and no record of it is in flight.
 * - `next-life`: this life has attempts, and no return of it can be relied on. An unordered return has been overdue too long, or
 *   the lane row does not name the delivery.
 */
export type Fate = 'over' | 'waits' | 'head' | 'send' | 'next-life';

/** An unordered retry that is overdue by this much has lost its record: a return is late by a second, not by minutes. */
const LOST_AFTER_MS = 60_000;

/** The action for a delivery. Deterministic and free of I/O. @param nowMs ms since the epoch */
export function fateOf({ lane, place, replay, known, row }: Candidate, nowMs: number): Fate {
  if (known === undefined || known.replay < replay) return 'send';
  if (known.replay > replay || known.status === 'delivered' || known.status === 'dead') return 'over';
  if (known.status === 'pending') return 'send';
  if (!isOrderedLane(lane)) return (known.nextAttemptAt ?? 0) < nowMs - LOST_AFTER_MS ? 'next-life' : 'waits';
  if (row === undefined || (row.place < place && row.attempt === undefined)) return 'head';
  if (row.place !== place || row.attempt === undefined) return 'next-life';
  // The restored row counts fewer attempts than the projection. It is raised, so that an older record of the delivery is stale.
  return row.attempt < known.attempts ? 'head' : 'waits';
}
