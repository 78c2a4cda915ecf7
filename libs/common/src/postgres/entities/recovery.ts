import { EntitySchema } from 'typeorm';

export const RECOVERY_STATES = ['counting', 'sending', 'done', 'failed', 'cancelled'] as const;
export type RecoveryState = (typeof RECOVERY_STATES)[number];

/** The begin of a job's next page; each kind of job has its own shape. */
export type RecoveryCursor = readonly (string | number)[];

/** A job that sends many deliveries again. */
export interface Recovery {
  readonly id: string;
  readonly kind: 'endpoint' | 'dead_letters';
  readonly tenant: string | null;
  readonly endpoint_id: string | null;
  readonly filter: Readonly<Record<string, string>>;
  readonly state: RecoveryState;
  readonly problem: string | null;
  readonly total: number;
  readonly sent: number;
  readonly skipped: number;
  readonly cursor: RecoveryCursor | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** With the column that only the worker reads. */
interface RecoveryRow extends Recovery {
  readonly next_at: Date;
}

export const RecoveryEntity = new EntitySchema<RecoveryRow>({
  name: 'Recovery',
  tableName: 'recoveries',
  columns: {
    id: { type: 'text', primary: true },
    kind: { type: 'text' },
    tenant: { type: 'text', nullable: true },
    endpoint_id: { type: 'text', nullable: true },
    filter: { type: 'jsonb' },
    state: { type: 'text' },
    problem: { type: 'text', nullable: true },
    total: { type: 'int' },
    sent: { type: 'int' },
    skipped: { type: 'int' },
    cursor: { type: 'jsonb', nullable: true },
    next_at: { type: 'timestamptz' },
    created_at: { type: 'timestamptz' },
    updated_at: { type: 'timestamptz' },
  },
});
