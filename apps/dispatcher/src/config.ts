import { z } from 'zod';
import {
  addressEnv,
  httpEnv,
  kafkaEnv,
  logEnv,
  postgresEnv,
  requireTrustKeys,
  sealingEnv,
  trustEnv,
} from '#common/config/env.js';

export const configSchema = z
  .object({
    ...httpEnv(4002),
    ...logEnv,
    ...kafkaEnv,
    ...postgresEnv,
    ...trustEnv,
    ...sealingEnv,
    ...addressEnv,
    ENDPOINT_QUEUE_LIMIT: z.coerce
      .number()
      .int()
      .min(1)
      .default(150)
      .describe(
        'deliveries of one endpoint that may wait in memory. Further ones are deferred: read again when half have finished. If the endpoint is slower than its traffic, they are parked in the database',
      ),
    SLOW_AFTER_MS: z.coerce
      .number()
      .int()
      .min(1)
      .default(450)
      .describe(
        'an endpoint is slower than its traffic when it would take longer than this for as many deliveries; 15 times longer while the dispatcher itself has no time to spare',
      ),
    MEMORY_LIMIT_BYTES: z.coerce
      .number()
      .int()
      .min(1_048_576)
      .default(32 * 1_048_576)
      .describe('bytes of deliveries that may wait in memory; beyond it all partitions pause'),
    MAX_CONNECTIONS_OUT: z.coerce
      .number()
      .int()
      .min(1)
      .max(65_536)
      .default(2_048)
      .describe(
        'connections to all endpoints together. At the limit, the connection that was idle for the longest time is closed; when all are busy, attempts wait. Each takes a file handle, and some 15 KB of memory over http, 60 KB over https',
      ),
    DRAIN_PER_SECOND: z.coerce
      .number()
      .min(1)
      .default(500)
      .describe('deliveries of one endpoint, parked while it was held, that one process begins in a second afterwards'),
    OPEN_ENDPOINTS_BYTES: z.coerce
      .number()
      .int()
      .min(1_048_576)
      .default(16 * 1_048_576)
      .describe(
        'estimated bytes of endpoints whose secrets are open in memory, about 2 KB each; beyond it those used least recently are closed, and opened again at their next attempt',
      ),
    RECENT_DELIVERIES: z.coerce
      .number()
      .int()
      .min(0)
      .default(50_000)
      .describe('finished attempts that are remembered, so that a repeated record is not sent again'),
  })
  .superRefine(requireTrustKeys);
export type DispatcherConfig = Readonly<z.infer<typeof configSchema>>;
