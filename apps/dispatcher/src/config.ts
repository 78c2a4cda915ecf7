import { z } from 'zod';
import { addressEnv, httpEnv, kafkaEnv, logEnv, sealingEnv } from '#common/config/env.js';

export const configSchema = z.object({
  ...httpEnv(4002),
  ...logEnv,
  ...kafkaEnv,
  ...sealingEnv,
  ...addressEnv,
  ENDPOINT_QUEUE_LIMIT: z.coerce
    .number()
    .int()
    .min(1)
    .default(1_000)
    .describe('deliveries of one endpoint that may wait in memory; beyond it the partitions they come from pause'),
  MEMORY_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(1_048_576)
    .default(64 * 1_048_576)
    .describe('bytes of deliveries that may wait in memory; beyond it all partitions pause'),
  RECENT_DELIVERIES: z.coerce
    .number()
    .int()
    .min(0)
    .default(50_000)
    .describe('finished attempts that are remembered, so that a repeated record is not sent again'),
});
export type DispatcherConfig = Readonly<z.infer<typeof configSchema>>;
