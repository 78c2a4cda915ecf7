import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import { OPTION_NAMES, type OptionName, type StoredOptions } from '../../records/endpoint-option-shapes.js';
import { ENDPOINT_OPTIONS, type OptionColumn } from '../../records/endpoint-options.js';

/** A row of `endpoints`. Static headers are sealed. */
export interface EndpointRow extends StoredOptions {
  readonly id: string;
  readonly tenant: string;
  readonly version: number;
  /** Of its last change; 0 and empty when that was made by an earlier release. */
  readonly sequence: number;
  readonly change_id: string;
  readonly header_names: string[];
  readonly headers_sealed: string | null;
  readonly status: 'active' | 'disabled';
  readonly disabled_reason: 'gone' | 'operator' | null;
  readonly disabled_at: Date | null;
  readonly paused_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export const EndpointEntity = new EntitySchema<EndpointRow>({
  name: 'Endpoint',
  tableName: 'endpoints',
  columns: {
    id: { type: 'text', primary: true },
    tenant: { type: 'text' },
    version: { type: 'int' },
    sequence: { type: 'bigint' },
    change_id: { type: 'text' },
    ...optionColumns(),
    header_names: { type: 'text', array: true },
    headers_sealed: { type: 'text', nullable: true },
    status: { type: 'text' },
    disabled_reason: { type: 'text', nullable: true },
    disabled_at: { type: 'timestamptz', nullable: true },
    paused_at: { type: 'timestamptz', nullable: true },
    created_at: { type: 'timestamptz' },
    updated_at: { type: 'timestamptz' },
  },
});

function optionColumns() {
  const columns = OPTION_NAMES.map((name) => [name, columnOf(ENDPOINT_OPTIONS[name].column)]);
  return Object.fromEntries(columns) as Record<OptionName, EntitySchemaColumnOptions>;
}

function columnOf({ type, isNullable, isArray }: OptionColumn): EntitySchemaColumnOptions {
  return { type, nullable: isNullable === true, array: isArray === true };
}
