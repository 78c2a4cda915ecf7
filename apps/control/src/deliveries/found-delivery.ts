import type { DeliveryStatus } from '../projector/projection.js';
import type { Position } from '../shared/paging.js';
import type { DeliveryFilter } from './delivery-schemas.js';

/** A delivery, whether it has a row or is pending and known only from its event. */
export interface FoundDelivery {
  readonly id: string;
  readonly accepted_at: Date;
  readonly tenant: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly endpoint_id: string;
  readonly status: DeliveryStatus | 'parked';
  readonly replay: number;
  readonly dead_reason: string | null;
  readonly next_attempt_at: Date | null;
}

/** Which deliveries are asked for, newest first. */
export type Search = Omit<DeliveryFilter, 'tenant' | 'cursor'> & {
  readonly tenant: string | undefined;
  readonly before: Position | undefined;
};
