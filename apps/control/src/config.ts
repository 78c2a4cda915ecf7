import { z } from 'zod';
import { addressEnv, httpEnv, kafkaEnv, logEnv, postgresEnv, sealingEnv } from '#common/config/env.js';
import { parseApiKey } from '#common/security/api-key.js';

export const configSchema = z.object({
  ...httpEnv(4001),
  ...logEnv,
  ...kafkaEnv,
  ...postgresEnv,
  ...sealingEnv,
  ...addressEnv,
  ADMIN_API_KEY: z
    .string()
    .refine((text) => parseApiKey(text) !== undefined, { error: 'is not an API key: ph_<id>_<secret>_<checksum>' })
    .optional()
    .describe('admin API key that is made to exist at the start; only its hash is stored'),
  RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(30)
    .describe('days that events, deliveries, attempts and dead letters can be looked up'),
});
export type ControlConfig = Readonly<z.infer<typeof configSchema>>;

/** DI token of {@link ControlConfig}. */
export const CONTROL_CONFIG = Symbol('ControlConfig');
