import { z } from 'zod';
import type { DeliveryContent } from '../records/delivery-body.js';
import type { AcceptedEvent } from '../records/event-record.js';

/** An event as the archive has it: columns of `events`. */
export interface ArchivedEvent {
  readonly tenant: string;
  readonly id: string;
  readonly type: string;
  readonly resource_id: string | null;
  readonly occurred_at: Date;
  readonly accepted_at: Date;
  /** Position in `ingest`; null when the event never was there. */
  readonly source_offset: number | null;
  /** The producer's own JSON text. */
  readonly data: string;
}

/** An event on its way into the archive. */
export interface EventToArchive {
  readonly event: AcceptedEvent;
  /** ms since the epoch. */
  readonly occurredAtMs: number;
  /** The endpoints that it is fanned out to. */
  readonly endpointIds: readonly string[];
}

/** A column of `events` that an event fills. */
interface EventColumn {
  /** A `time` arrives in ms since the epoch. */
  readonly type: 'text' | 'text[]' | 'int' | 'bigint' | 'time';
  /** Empty text is stored as NULL. */
  readonly of: (archived: EventToArchive) => string | number;
  /** As the API shows it in lists; left out when it does not. */
  readonly shown?: z.ZodType;
}

/** In the order of the API. */
export const EVENT_COLUMNS = {
  id: { type: 'text', of: ({ event }) => event.id, shown: z.string() },
  tenant: { type: 'text', of: ({ event }) => event.tenant, shown: z.string() },
  type: { type: 'text', of: ({ event }) => event.type, shown: z.string() },
  resource_id: {
    type: 'text',
    of: ({ event }) => event.resourceId ?? '',
    shown: z.string().nullable(),
  },
  occurred_at: { type: 'time', of: ({ occurredAtMs }) => occurredAtMs, shown: z.iso.datetime() },
  accepted_at: {
    type: 'time',
    of: ({ event }) => event.acceptedAt,
    shown: z.iso.datetime().describe('when Kafka had the event'),
  },
  endpoint_ids: {
    type: 'text[]',
    of: ({ endpointIds }) => endpointIds.join(','),
    shown: z.array(z.string()).describe('the endpoints it was fanned out to'),
  },
  source_partition: { type: 'int', of: ({ event }) => event.partition },
  source_offset: { type: 'bigint', of: ({ event }) => event.position },
  data: { type: 'text', of: ({ event }) => event.rawData },
} as const satisfies Readonly<Record<keyof ArchivedEvent | 'source_partition' | 'endpoint_ids', EventColumn>>;

/** The content that the router made bodies of. */
export function contentOf(event: ArchivedEvent): DeliveryContent {
  return {
    id: event.id,
    type: event.type,
    occurredAt: event.occurred_at.toISOString(),
    position: event.source_offset ?? 0,
    resourceId: event.resource_id ?? undefined,
    rawData: event.data,
  };
}

/** An event that Posthorn makes for one endpoint. It never is in `ingest`, and is about no resource. */
export function ownEvent(event: Pick<ArchivedEvent, 'tenant' | 'id' | 'type' | 'data'>, now: Date): ArchivedEvent {
  return { ...event, resource_id: null, occurred_at: now, accepted_at: now, source_offset: null };
}
