const RFC3339 =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * The instant of an RFC 3339 date-time. Stricter than `Date.parse`, which takes 30 February for 1 March, and wider: it
 * knows leap seconds (counted as the second before) and lower-case `t` and `z`.
 *
 * @returns ms since the epoch, or undefined when the text is no RFC 3339 date-time
 */
export function parseRfc3339(text: string): number | undefined {
  const [, year, month, day, , second] = RFC3339.exec(text) ?? [];
  if (year === undefined || Number(day) > daysIn(Number(year), Number(month))) return undefined;
  const upper = text.toUpperCase();
  return Date.parse(second === '60' ? `${upper.slice(0, 17)}59${upper.slice(19)}` : upper);
}

/** @param month 1 to 12 */
function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
