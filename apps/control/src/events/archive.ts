import { ProblemError } from '#common/http/problem.js';
import type { ArchivedEvent } from '#common/postgres/archived-event.js';
import type { Queryable } from '#common/postgres/database.js';

/** The event of a delivery. @throws ProblemError CONFLICT when it is no longer archived */
export async function archivedEventOf(
  db: Queryable,
  delivery: { readonly tenant: string; readonly event_id: string; readonly accepted_at: Date },
): Promise<ArchivedEvent> {
  const [event] = await db.query<ArchivedEvent>(
    'SELECT * FROM events WHERE tenant = $1 AND id = $2 AND accepted_at = $3',
    [delivery.tenant, delivery.event_id, delivery.accepted_at],
  );
  if (event === undefined) throw new ProblemError('CONFLICT', 'the event is no longer archived');
  return event;
}
