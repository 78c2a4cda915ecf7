import { EntitySchema } from 'typeorm';

/** A row of the audit log. */
export interface StoredAuditEntry {
  readonly seq: number;
  readonly at: Date;
  readonly actor: string;
  readonly tenant: string | null;
  readonly action: string;
  readonly subject: string;
  readonly detail: object;
}

export const AuditEntryEntity = new EntitySchema<StoredAuditEntry>({
  name: 'AuditEntry',
  tableName: 'audit_log',
  columns: {
    seq: { type: 'bigint', primary: true, generated: 'increment' },
    at: { type: 'timestamptz' },
    actor: { type: 'text' },
    tenant: { type: 'text', nullable: true },
    action: { type: 'text' },
    subject: { type: 'text' },
    detail: { type: 'jsonb' },
  },
});
