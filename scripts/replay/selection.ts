import type { KafkaMessage } from 'kafkajs';
import { DEAD_HEADERS, readDeadLetter } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { lastHeaders } from './headers.ts';

/** The properties of a dead letter that a replay selects by. */
export interface DeadLetter {
  readonly reason: string;
  /** Time of death, ms since the epoch. */
  readonly at: number;
  /** Empty for a poison record. */
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventType: string;
}

/** Conditions of a replay; times in ms since the epoch. */
interface Selection {
  readonly reason?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/**
 * Reads the headers of a record of `dlq`. Reasons of other releases are valid, too.
 */
export function describeDeadLetter({ headers, timestamp }: Pick<KafkaMessage, 'headers' | 'timestamp'>): DeadLetter {
  const given = lastHeaders(headers);
  const delivery = decodeDelivery(given[DELIVERY_HEADER]);
  return {
    reason: given[DEAD_HEADERS.reason]?.toString() ?? '',
    at: readDeadLetter(given)?.at || Number(timestamp),
    endpointId: delivery?.endpointId ?? '',
    eventId: delivery?.eventId ?? '',
    eventType: delivery?.eventType ?? '',
  };
}

/** @returns whether the dead letter matches every condition */
export function isSelected(
  { reason, at, endpointId }: DeadLetter,
  { reason: wanted, endpoint, since, until }: Selection,
): boolean {
  if (wanted !== undefined && reason !== wanted) return false;
  if (endpoint !== undefined && endpointId !== endpoint) return false;
  return at >= (since ?? Number.NEGATIVE_INFINITY) && at < (until ?? Number.POSITIVE_INFINITY);
}
