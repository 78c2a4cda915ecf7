import { z } from 'zod';
import { isCidr } from '../security/address-policy.js';
import { RecordSigner, RecordVerifier, signingKeyProblem } from '../security/record-signature.js';
import { sealingKeysProblem } from '../security/sealing.js';

/** Reading the environment: every app composes its schema from these parts and its own. */
const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** `true`/`false`, `1`/`0`. */
export const flag = z.stringbool();

export const httpEnv = (defaultPort: number) => ({
  HOST: z.string().default('127.0.0.1').describe('address the HTTP server listens on'),
  PORT: port(defaultPort).describe('port the HTTP server listens on'),
});

export const logEnv = {
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe log line that is written'),
};

export const kafkaEnv = {
  KAFKA_BROKERS: list.default(['127.0.0.1:4092']).describe('host:port of the Kafka brokers, comma-separated'),
  KAFKA_SASL_USERNAME: z
    .string()
    .optional()
    .describe(
      'user name at the brokers; without one the connection is not authenticated. It is not encrypted either way',
    ),
  KAFKA_SASL_PASSWORD: z.string().default('').describe('password at the brokers'),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .default('plain')
    .describe('how user name and password are proven'),
  KAFKA_TOPIC_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._-]*$/)
    .default('')
    .describe('put before every topic and group name'),
  KAFKA_SESSION_TIMEOUT_MS: z.coerce
    .number()
    .int()
    .min(6_000)
    .default(45_000)
    .describe('how long a consumer may be silent before its partitions go to another'),
  STALL_SECONDS: z.coerce
    .number()
    .int()
    .min(10)
    .max(3_600)
    .default(30)
    .describe(
      'how long a partition with lag may stand still without a reason before readiness names it; after twice as long the process ends, so that its supervisor starts it again',
    ),
  INSTANCE: z
    .string()
    .regex(/^[A-Za-z0-9._-]*$/)
    .default('')
    .describe(
      'stable name of this process among those of its app; when it starts again under the same name, it takes its predecessor out of the consumer group at once',
    ),
  LOG_PARTITIONS: z.coerce.number().int().min(1).default(8).describe('partitions of ingest and deliveries'),
  SIDE_PARTITIONS: z.coerce
    .number()
    .int()
    .min(1)
    .default(4)
    .describe('partitions of each retry tier, attempts and dlq'),
  REPLICATION_FACTOR: z.coerce.number().int().min(1).default(1).describe('replicas of every topic that is created'),
  MAX_EVENT_BYTES: z.coerce
    .number()
    .int()
    .min(1_024)
    .default(256 * 1_024)
    .describe('largest event either door accepts; larger ones are 413, or payload_error over Kafka'),
};

export const postgresEnv = {
  DATABASE_URL: z
    .string()
    .default('postgres://posthorn:posthorn@127.0.0.1:4432/posthorn')
    .describe('PostgreSQL connection string'),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).default(8).describe('most connections of one process'),
};

export const sealingEnv = {
  SECRET_KEYS: z
    .string()
    .superRefine((text, context) => {
      const problem = sealingKeysProblem(text);
      if (problem !== undefined) context.addIssue(problem);
    })
    .describe(
      'keys that seal endpoint secrets, `id:base64 of 32 bytes`, comma-separated; the first one seals, all of them open',
    ),
};

/** Which records of `endpoints` and `api-keys` an app uses. */
export const trustEnv = {
  CONFIG_PUBLIC_KEYS: z
    .string()
    .superRefine((text, context) => {
      const problem = signingKeyProblem(() => new RecordVerifier(text));
      if (problem !== undefined) context.addIssue(problem);
    })
    .optional()
    .describe(
      'ed25519 public keys of control, `id:base64 of 32 bytes`, comma-separated: records of endpoints and api-keys with another signature are ignored. Without it signatures are not looked at',
    ),
  REQUIRE_SIGNED_RECORDS: flag
    .default(false)
    .describe(
      'whether records of endpoints and api-keys without a signature are ignored, and dead letters without a MAC refused when they are replayed. An app does not start with it before control has signed all configuration; dead letters of older releases are replayed by the API or `npm run replay -- --sign`',
    ),
};

/** Signatures cannot be required without a key to verify them with. */
export function requireTrustKeys(
  config: {
    REQUIRE_SIGNED_RECORDS: boolean;
    CONFIG_PUBLIC_KEYS?: string | undefined;
    CONFIG_SIGNING_KEY?: string | undefined;
  },
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  if (!config.REQUIRE_SIGNED_RECORDS || config.CONFIG_PUBLIC_KEYS || config.CONFIG_SIGNING_KEY) return;
  context.addIssue({ code: 'custom', path: ['REQUIRE_SIGNED_RECORDS'], message: 'needs CONFIG_PUBLIC_KEYS' });
}

/** Of control only; see {@link trustEnv}. */
export const signingEnv = {
  CONFIG_SIGNING_KEY: z
    .string()
    .superRefine((text, context) => {
      const problem = signingKeyProblem(() => new RecordSigner(text));
      if (problem !== undefined) context.addIssue(problem);
    })
    .optional()
    .describe(
      'ed25519 private key that signs records of endpoints and api-keys, `id:base64 of 32 bytes`; control trusts its public key by itself',
    ),
};

/** Allowed endpoints other than https on the public internet; see security/address-policy.ts. */
export const addressEnv = {
  ALLOW_HTTP: flag.default(false).describe('whether endpoints may use plain http; for development'),
  ALLOWED_ADDRESSES: list
    .pipe(z.array(z.string().refine(isCidr, { error: 'must be CIDR ranges, comma-separated' })))
    .default([])
    .describe(
      'CIDR ranges endpoints may be in although they are not public, e.g. 127.0.0.0/8,::1/128 for development; internal host names are then accepted as well, and their addresses decide',
    ),
};

/** Names of variables whose values are never logged or documented. */
const SECRET_NAMES = /KEY|PASSWORD|DATABASE_URL/;

export class InvalidConfigError extends Error {}

/**
 * @param source usually `process.env`; empty values count as missing
 * @throws InvalidConfigError naming every bad variable
 */
export function loadConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  source: NodeJS.ProcessEnv,
): z.infer<z.ZodObject<Shape>> {
  const present = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(present);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new InvalidConfigError(`bad configuration:\n${problems.join('\n')}`);
}

/** The effective configuration, fit for a log line. */
export function maskedConfig(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, SECRET_NAMES.test(name) && value ? '***' : value]),
  );
}
