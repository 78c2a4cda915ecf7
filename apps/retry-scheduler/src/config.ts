import { z } from 'zod';
import { httpEnv, kafkaEnv, logEnv } from '#common/config/env.js';

const bytes = (fallback: number) => z.coerce.number().int().min(65_536).default(fallback);

/** Environment variables of the retry-scheduler. */
export const configSchema = z.object({
  ...httpEnv(4003),
  ...logEnv,
  ...kafkaEnv,
  EAGER_BUFFER_BYTES: bytes(64 * 1_048_576).describe(
    'memory for deliveries due within 16 s; further ones wait in Kafka and may be late',
  ),
  TIER_BUFFER_BYTES: bytes(2 * 1_048_576).describe('memory for the read-ahead of each partition of a longer tier'),
});

export type SchedulerConfig = Readonly<z.infer<typeof configSchema>>;
