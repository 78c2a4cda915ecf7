import { z } from 'zod';
import { httpEnv, kafkaEnv, logEnv, postgresEnv, requireTrustKeys, trustEnv } from '#common/config/env.js';

const KIB = 1_024;
const MIB = 1_024 * KIB;
const bytes = z.coerce.number().int().min(1_024);

export const configSchema = z
  .object({
    ...httpEnv(4000),
    ...logEnv,
    ...kafkaEnv,
    ...postgresEnv,
    ...trustEnv,
    MAX_BATCH_BYTES: bytes.default(4 * MIB).describe('largest body of POST /v1/events/batch'),
    MAX_BATCH_EVENTS: z.coerce.number().int().min(1).default(1_000).describe('most events of POST /v1/events/batch'),
    MAX_CONNECTIONS: z.coerce
      .number()
      .int()
      .min(1)
      .default(2_000)
      .describe('open connections beyond which new ones are refused'),
    MAX_WAITING_REQUESTS: z.coerce
      .number()
      .int()
      .min(1)
      .default(10_000)
      .describe('requests that may wait for Kafka to confirm their events; beyond it the answer is 503'),
    MAX_WAITING_BYTES: bytes
      .default(64 * MIB)
      .describe('bytes of events that may wait for Kafka to confirm them; beyond it the answer is 503'),
    ACCEPT_TIMEOUT_MS: z.coerce
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(10_000)
      .describe('how long a request waits for Kafka to confirm its events before the answer is 503'),
    ROUTER_QUEUE_BYTES: bytes
      .default(64 * KIB)
      .describe('bytes of one ingest partition that may wait in memory to be routed; beyond it the partition pauses'),
  })
  .superRefine(requireTrustKeys);
export type IngestConfig = Readonly<z.infer<typeof configSchema>>;
