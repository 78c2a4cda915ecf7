/** Never within a value: whoever sends columns this way sees to it that theirs have none. */
const SEPARATOR = '\n';

/**
 * One column of many rows as one text parameter: an array parameter would be escaped character by character here and
 * unescaped there. Beside `unnestColumns`, which reads it.
 *
 * @param value no text with a line feed in it; null and empty text both arrive as NULL
 */
export function joinedColumn<Row>(rows: readonly Row[], value: (row: Row) => string | number | null): string {
  return rows.map(value).join(SEPARATOR);
}

/** @returns SQL that makes rows of the first `count` parameters, each a joined column; all values are text, or NULL */
export function unnestColumns(count: number): string {
  const columns = Array.from({ length: count }, (_, index) => `string_to_array($${index + 1}, E'\\n', '')`);
  return `unnest(${columns.join(', ')})`;
}

/** @returns SQL of a time, from a column with ms since the epoch */
export function timeOf(column: string): string {
  return `to_timestamp(${column}::float8 / 1000)`;
}
