/*
 * Three ways in which lists reach PostgreSQL:
 * - an array as a parameter: `Database` writes it with `arrayLiteral`. This is the rule;
 * - columns of many rows, where a statement runs for every batch of records: `joinedColumn` and `unnestColumns`;
 * - `listOf` around an array parameter, in statements that PostgreSQL would otherwise plan at each execution.
 */

/** Within these the text of an element needs quotes. */
const NEEDS_QUOTES = /[\s"\\{},]|^$|^null$/i;
const ESCAPED = /["\\]/g;

/**
 * PostgreSQL's text form of an array parameter. pg makes it, too, but escapes every element twice over, whatever it is:
 * a fifth of the projector's CPU (measured: docs/performance.md).
 *
 * @param values text, numbers, booleans, times, bytes, or null; not nested
 */
export function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(element).join(',')}}`;
}

function element(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return `"${value.toISOString()}"`;
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return NEEDS_QUOTES.test(text) ? `"${text.replace(ESCAPED, '\\$&')}"` : text;
}

/** Characters that join the values of a column, and their SQL. No value may contain the one that its column is joined with. */
const SEPARATORS = {
  '\n': "E'\\n'",
  /** For JSON text, which may have line feeds between tokens, and no other control character but white space. */
  '\x1e': "E'\\x1e'",
} as const;
type Separator = keyof typeof SEPARATORS;

/**
 * One column of many rows as one text parameter: an array parameter would be escaped character by character here and
 * unescaped there. Beside `unnestColumns`, which reads it.
 *
 * @param value no text with the separator in it; null and empty text both arrive as NULL
 */
export function joinedColumn<Row>(
  rows: readonly Row[],
  value: (row: Row) => string | number | null,
  separator: Separator = '\n',
): string {
  return rows.map(value).join(separator);
}

/** @returns SQL that makes rows of the first `count` parameters, each a joined column; all values are text, or NULL */
export function unnestColumns(count: number, separator: Separator = '\n'): string {
  const columns = Array.from(
    { length: count },
    (_, index) => `string_to_array($${index + 1}, ${SEPARATORS[separator]}, '')`,
  );
  return `unnest(${columns.join(', ')})`;
}

/** @returns SQL of a time, from a column with ms since the epoch */
export function timeOf(column: string): string {
  return `to_timestamp(${column}::float8 / 1000)`;
}

/**
 * A list parameter whose length the planner does not see. It takes a list of unknown length for ten long, so that a plan
 * for a shorter one always looks cheaper, and PostgreSQL plans even a prepared statement at each execution.
 *
 * @param parameter such as `$1`
 * @param type of an element
 */
export function listOf(parameter: string, type: string): string {
  return `(SELECT ${parameter}::${type}[])::${type}[]`;
}
