import { z } from 'zod';
import { MAX_CONFIGURATION_BYTES } from './limits.js';

const MAX_REASON_LENGTH = 500;

/**
 * Reads a record of a compacted topic.
 *
 * @param id the record's key: a record under another key would change the wrong endpoint or API key
 * @throws Error with a short reason, when the value does not fit
 */
export function configurationOf<Schema extends z.ZodType<{ readonly id: string }>>(
  schema: Schema,
  id: string,
  value: Buffer,
): z.infer<Schema> {
  if (value.length > MAX_CONFIGURATION_BYTES) throw new Error(`it has ${value.length} bytes`);
  const result = schema.safeParse(JSON.parse(value.toString()));
  if (!result.success) throw new Error(z.prettifyError(result.error).slice(0, MAX_REASON_LENGTH));
  if (result.data.id !== id) throw new Error('its id is not its key');
  return result.data;
}
