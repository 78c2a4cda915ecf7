import { z } from 'zod';
import { parseApiKey } from '#common/api-keys/api-key.js';
import {
  addressEnv,
  httpEnv,
  kafkaEnv,
  logEnv,
  postgresEnv,
  requireTrustKeys,
  sealingEnv,
  signingEnv,
  trustEnv,
} from '#common/config/env.js';
import { MAX_COOLDOWN_S, MAX_PARKED, MAX_PARKED_AGE_S, MAX_THRESHOLD } from '#common/records/endpoint-options.js';

const wholeNumber = (max: number, fallback: number) => z.coerce.number().int().min(1).max(max).default(fallback);

export const configSchema = z
  .object({
    ...httpEnv(4001),
    ...logEnv,
    ...kafkaEnv,
    ...postgresEnv,
    ...trustEnv,
    ...signingEnv,
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
    BREAKER_THRESHOLD: wholeNumber(MAX_THRESHOLD, 25).describe(
      'deliveries dead in a row that open the breaker of an endpoint which names no number of its own when it is created',
    ),
    BREAKER_COOLDOWN_S: wholeNumber(MAX_COOLDOWN_S, 60).describe(
      'seconds from the opening of a breaker to its first probe, for endpoints created without a value of their own',
    ),
    BREAKER_MAX_COOLDOWN_S: wholeNumber(MAX_COOLDOWN_S, 3_600).describe(
      'limit of the cool-down, which doubles with every probe that fails, for endpoints created without a value of their own',
    ),
    MAX_PARKED_AGE_S: wholeNumber(MAX_PARKED_AGE_S, 7 * 86_400).describe(
      'seconds a delivery may be parked before it is dead (`expired`), for endpoints created without a value of their own',
    ),
    MAX_PARKED: wholeNumber(MAX_PARKED, 1_000_000).describe(
      'deliveries of an endpoint that may be parked, the oldest are dead (`expired`) beyond it, for endpoints created without a value of their own',
    ),
    RECOVERY_PER_SECOND: wholeNumber(10_000, 200).describe(
      'deliveries one recovery or bulk replay sends again in a second, at most',
    ),
  })
  .superRefine(requireTrustKeys);
export type ControlConfig = Readonly<z.infer<typeof configSchema>>;
