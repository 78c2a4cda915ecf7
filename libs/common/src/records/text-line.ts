import { z } from 'zod';

/** Text that PostgreSQL can store and a person could have meant: no control characters, NUL above all. */
export function line(maxLength: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}]*$/u, { error: 'must not have control characters' });
}
