import { z } from 'zod';
import { shownEventShape } from '#common/postgres/event-columns.js';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery, timeQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

export const listedEventSchema = z.object(shownEventShape()).meta({ id: 'ListedEvent' });
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
