import { z } from 'zod';
import { DEAD_REASONS } from '#common/domain/verdict.js';
import { time } from '#common/http/validation.js';
import { RECOVERY_STATES } from '#common/postgres/entities/recovery.js';
import { line } from '#common/records/text-line.js';
import { pageOf, pageQuery } from '../shared/paging.js';
import { tenantSchema } from '../shared/request-schemas.js';

const moment = z.iso.datetime();
/** A job that begins in the future would do nothing, without a message. */
const pastTime = time().refine((text) => Date.parse(text) < Date.now(), { error: 'must be in the past' });
const inOrder = ({ since, until }: { since?: string | undefined; until?: string | undefined }) =>
  since === undefined || until === undefined || Date.parse(since) < Date.parse(until);
const notInOrder = { error: 'must be after since', path: ['until'] };

/** Body of `POST /v1/endpoints/{id}/recover`. */
export const recoverSchema = z
  .strictObject({
    since: pastTime.describe('events accepted at or after this time'),
    until: time().optional().describe('and before this time; the time of the request, if left out'),
    only: z
      .enum(['failed', 'all'])
      .default('failed')
      .describe(
        'failed: what is dead, and events of its types it never got since it was created, as while it was disabled; all: what was delivered, too. What is under way is never sent again',
      ),
  })
  .refine(inOrder, notInOrder);
export type RecoverRequest = z.infer<typeof recoverSchema>;

/** Body of `POST /v1/dead-letters/replay`. */
export const bulkReplaySchema = z
  .strictObject({
    tenant: tenantSchema.optional(),
    endpoint_id: line(256).optional(),
    type: line(256).optional().describe('event type'),
    reason: z.enum(DEAD_REASONS).optional(),
    since: pastTime.optional().describe('dead at or after this time'),
    until: time().optional().describe('dead before this time; the time of the request, if left out'),
  })
  .refine(inOrder, notInOrder);
export type BulkReplayRequest = z.infer<typeof bulkReplaySchema>;

export const recoverySchema = z
  .object({
    id: z.string(),
    kind: z.enum(['endpoint', 'dead_letters']),
    tenant: z.string().nullable().describe('null: of all tenants'),
    endpoint_id: z.string().nullable(),
    filter: z.record(z.string(), z.string()).describe('what was asked for'),
    state: z.enum(RECOVERY_STATES),
    problem: z.string().nullable().describe('why it failed'),
    total: z.number().describe('deliveries to send again; grows while they are counted'),
    sent: z.number().describe('handed over so far; what became of them is seen in their deliveries'),
    skipped: z.number().describe('under way by other means when their turn came'),
    created_at: moment,
    updated_at: moment,
  })
  .meta({ id: 'Recovery' });
export type ShownRecovery = z.infer<typeof recoverySchema>;

export const recoveryPageSchema = pageOf(recoverySchema);
export const recoveryListQuery = z.strictObject({
  tenant: tenantSchema.optional(),
  endpoint_id: line(256).optional(),
  ...pageQuery,
});
export type RecoveryFilter = z.infer<typeof recoveryListQuery>;
