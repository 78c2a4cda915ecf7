import { EntitySchema } from 'typeorm';

/** A secret of an endpoint, sealed. */
export interface EndpointSecretRow {
  readonly id: string;
  readonly endpoint_id: string;
  readonly sealed: string;
  readonly created_at: Date;
  /** Null for the current one. */
  readonly expires_at: Date | null;
}

export const EndpointSecretEntity = new EntitySchema<EndpointSecretRow>({
  name: 'EndpointSecret',
  tableName: 'endpoint_secrets',
  columns: {
    id: { type: 'text', primary: true },
    endpoint_id: { type: 'text' },
    sealed: { type: 'text' },
    created_at: { type: 'timestamptz' },
    expires_at: { type: 'timestamptz', nullable: true },
  },
});
