import { UserError } from './settings.mjs';

/**
 * @param name name of the option, for errors
 * @returns ms since the epoch; undefined when the option is missing
 * @throws UserError for an invalid time
 */
export function timeOption(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(at)) return at;
  throw new UserError(`${name} must be a time such as 2026-01-31T09:30:00Z, not "${text}"`);
}
