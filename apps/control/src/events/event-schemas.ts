import { z } from 'zod';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery, timeQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

export const listedEventSchema = z
  .object({
    id: z.string(),
    tenant: z.string(),
    type: z.string(),
    resource_id: z.string().nullable(),
    occurred_at: z.iso.datetime(),
    accepted_at: z.iso.datetime().describe('when Kafka had the event'),
    endpoint_ids: z.array(z.string()).describe('the endpoints it was fanned out to'),
  })
  .meta({ id: 'ListedEvent' });
export type ListedEvent = z.infer<typeof listedEventSchema>;

export const eventSchema = listedEventSchema.extend({ data: z.unknown() }).meta({ id: 'Event' });

export const eventPageSchema = pageOf(listedEventSchema);

export const eventListQuery = z.strictObject({
  tenant: tenantSchema.optional(),
  type: line(256).optional(),
  resource_id: line(1_024).optional(),
  ...timeQuery,
  ...pageQuery,
});
export type EventFilter = z.infer<typeof eventListQuery>;

export const tenantQuery = z.strictObject({ tenant: tenantSchema.optional() });
