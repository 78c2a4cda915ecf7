import type { z } from 'zod';
import { type ArchivedEvent, EVENT_COLUMNS, type EventToArchive } from './archived-event.js';
import { joinedColumn, timeOf, unnestColumns } from './array-parameters.js';
import type { Queryable } from './database.js';

/* SQL and views of `events`, from the description of its columns. */

/** Ids are printable, and JSON text has no raw control characters but white space: no column contains it. */
const SEPARATOR = '\x1e';

type Columns = typeof EVENT_COLUMNS;
type ColumnName = keyof Columns;
type ShownName = { [Name in ColumnName]: Columns[Name] extends { shown: z.ZodType } ? Name : never }[ColumnName];

const NAMES = Object.keys(EVENT_COLUMNS) as ColumnName[];
const ARCHIVED = NAMES.filter((name) => name !== 'source_partition' && name !== 'endpoint_ids');
const SHOWN = NAMES.filter((name): name is ShownName => 'shown' in EVENT_COLUMNS[name]);

const CASTS = {
  text: (name: string) => name,
  'text[]': (name: string) => `coalesce(string_to_array(${name}, ','), '{}') AS ${name}`,
  int: (name: string) => `${name}::int`,
  bigint: (name: string) => `${name}::bigint`,
  time: (name: string) => `${timeOf(name)} AS ${name}`,
};

/** Names of all columns that an event fills, for INSERT and SELECT. */
export const EVENT_COLUMN_LIST = NAMES.join(', ');

/** Names of the columns of the API's lists. */
export const SHOWN_COLUMN_LIST = SHOWN.join(', ');

/** Rows of the parameters that `eventParams` gives, numbered from 1 as `place`. */
export const EVENT_INPUT = `SELECT ordinality::int AS place, ${NAMES.map(castOf).join(', ')}
  FROM ${unnestColumns(NAMES.length, SEPARATOR)} WITH ORDINALITY AS columns(${EVENT_COLUMN_LIST}, ordinality)`;

/** One parameter for each column. */
export function eventParams(batch: readonly EventToArchive[]): string[] {
  return NAMES.map((name) => joinedColumn<EventToArchive>(batch, EVENT_COLUMNS[name].of, SEPARATOR));
}

/** Columns of an {@link ArchivedEvent}. @param table alias of `events` */
export function archivedColumns(table: string): string {
  return ARCHIVED.map((name) => `${table}.${name}`).join(', ');
}

/** All columns that an event fills. @param table an alias @param endpointIds SQL of `endpoint_ids`, in place of its column */
export function eventColumns(table: string, endpointIds: string): string {
  return NAMES.map((name) => (name === 'endpoint_ids' ? `${endpointIds} AS ${name}` : `${table}.${name}`)).join(', ');
}

/** Archives an event that never is in `ingest`. */
export async function insertOwnEvent(
  tx: Queryable,
  event: ArchivedEvent,
  endpointIds: readonly string[],
): Promise<void> {
  const places = [...ARCHIVED, 'endpoint_ids'].map((_, index) => `$${index + 1}`);
  await tx.query(`INSERT INTO events (${ARCHIVED.join(', ')}, endpoint_ids) VALUES (${places.join(', ')})`, [
    ...ARCHIVED.map((name) => event[name]),
    endpointIds,
  ]);
}

/** A row of a list. */
export type ListedEventRow = Pick<ArchivedEvent, ShownName & keyof ArchivedEvent> & {
  readonly endpoint_ids: readonly string[];
};

/** Schemas of the columns that the API's lists show. */
export function shownEventShape() {
  return Object.fromEntries(SHOWN.map((name) => [name, EVENT_COLUMNS[name].shown])) as {
    [Name in ShownName]: Columns[Name]['shown'];
  };
}

/** The row as the API shows it: times are RFC 3339. */
export function showEventColumns(row: ListedEventRow) {
  const shown = SHOWN.map((name) => {
    const value = row[name];
    return [name, value instanceof Date ? value.toISOString() : value];
  });
  return Object.fromEntries(shown) as { [Name in ShownName]: z.output<Columns[Name]['shown']> };
}

function castOf(name: ColumnName): string {
  return CASTS[EVENT_COLUMNS[name].type](name);
}
