import { z } from 'zod';
import { BREAKER_MODES } from '../domain/breaker.js';
import { HEADER_NAME, isReservedHeader } from '../domain/header-names.js';
import { ORDERINGS } from '../domain/lane.js';
import { JITTERS, MAX_DELAY_MS, type RetryPolicy } from '../domain/retry-policy.js';
import { SUBSCRIPTION_PATTERN } from '../domain/subscription.js';
import { MAX_INT } from './limits.js';
import {
  type RetryPolicyForm,
  retryPolicyFormSchema,
  shownRetryPolicySchema,
  showRetryPolicy,
  toRetryPolicy,
} from './retry-policy-form.js';
import { shortList } from './short-list.js';
import { line } from './text-line.js';

/**
 * One option of an endpoint: its name is its column, its field of the record, and its field of the API. Form, row, record and
 * view are made from it (endpoint-option-shapes.ts).
 */
export interface EndpointOption {
  /** The value in a request. */
  readonly form: z.ZodType;
  /** The value in an answer. */
  readonly shown: z.ZodType;
  readonly column: OptionColumn;
  /**
   * The value on the topic `endpoints`, for an option that every app reads. Bounds are wider than those of the form. They protect
   * readers from records that another writer put there.
   */
  readonly record?: z.ZodType;
  /** The same, for an option that only control reads: it travels in `copy`. */
  readonly copy?: z.ZodType;
  /** Meaning of a record without the option, as earlier releases write it. A new option must have this. */
  readonly absent?: unknown;
  /** Of a new endpoint. OpenAPI names it. */
  readonly default?: unknown;
  /** Of a new endpoint, for a limit: OpenAPI names none, since the configuration may give it. */
  readonly initial?: (defaults: EndpointDefaults) => unknown;
  /** From the form to the column, and from the column to the view, where they differ. */
  readonly codec?: { readonly store: (given: never) => unknown; readonly show: (stored: never) => unknown };
}

export interface OptionColumn {
  readonly type: 'text' | 'int' | 'double precision' | 'jsonb';
  readonly isNullable?: true;
  readonly isArray?: true;
}

/** An option that any request may leave out. */
type Limit = EndpointOption & Required<Pick<EndpointOption, 'initial' | 'absent'>> & { readonly default?: never };

/** Defaults of new endpoints that control's configuration gives. */
export interface EndpointDefaults {
  readonly BREAKER_THRESHOLD: number;
  readonly BREAKER_COOLDOWN_S: number;
  readonly BREAKER_MAX_COOLDOWN_S: number;
  readonly MAX_PARKED_AGE_S: number;
  readonly MAX_PARKED: number;
}

export const MAX_THRESHOLD = 10_000;
export const MAX_COOLDOWN_S = 7 * 86_400;
export const MAX_PARKED_AGE_S = 30 * 86_400;
export const MAX_PARKED = 10_000_000;

const PAYLOADS = ['full', 'thin'] as const;
const seconds = (max: number) => z.number().int().min(1).max(max);

/** A name of a header that an endpoint may choose. */
export const headerName = z
  .string()
  .regex(HEADER_NAME, { error: 'must be an HTTP header name' })
  .refine((name) => !isReservedHeader(name), { error: 'is reserved: Posthorn or HTTP itself sets it' });

/** The events of an endpoint, and the form of its messages. */
export const MESSAGE_OPTIONS = {
  url: {
    form: z.string().min(1).describe('https, unless this system allows http; judged again at each connection'),
    shown: z.string(),
    column: { type: 'text' },
    record: z.string().max(8_192),
  },
  event_types: {
    form: z
      .array(z.string().max(256).regex(SUBSCRIPTION_PATTERN, { error: 'must be an event type, `name.*` or `*`' }))
      .min(1)
      .max(100)
      .describe('exact types, or wildcards: `invoice.*`, `*`'),
    shown: z.array(z.string()),
    column: { type: 'text', isArray: true },
    record: shortList(z.string().max(256)),
  },
  ordering: {
    form: z.enum(ORDERINGS).describe('what deliveries keep their order by'),
    shown: z.enum(ORDERINGS),
    column: { type: 'text' },
    record: z.enum(ORDERINGS),
    default: 'resource',
  },
  retry_policy: {
    form: retryPolicyFormSchema,
    shown: shownRetryPolicySchema,
    column: { type: 'jsonb' },
    record: z.object({
      delaysMs: shortList(z.number().min(0).max(MAX_DELAY_MS)),
      jitter: z.enum(JITTERS),
      capMs: z.number().min(0).max(MAX_DELAY_MS).optional(),
      permanentStatuses: shortList(z.number()),
    }),
    default: { preset: 'quick' },
    codec: {
      store: (given: RetryPolicyForm): RetryPolicy => toRetryPolicy(given),
      show: (stored: RetryPolicy) => showRetryPolicy(stored),
    },
  },
  payload: {
    form: z.enum(PAYLOADS).describe('thin leaves `data` out, for receivers that fetch fresh state'),
    shown: z.enum(PAYLOADS),
    column: { type: 'text' },
    record: z.enum(PAYLOADS),
    default: 'full',
  },
} as const satisfies Readonly<Record<string, EndpointOption>>;

/** Settings of each attempt, and the description. */
export const ATTEMPT_OPTIONS = {
  timeout_ms: {
    form: z.number().int().min(1_000).max(30_000).describe('for one whole attempt, from connect to last body byte'),
    shown: z.number(),
    column: { type: 'int' },
    record: z.number().min(1).max(600_000),
    default: 10_000,
  },
  max_in_flight: {
    form: z.number().int().min(1).max(256).describe('most attempts at once, of each dispatcher'),
    shown: z.number(),
    column: { type: 'int' },
    record: z.int().min(1).max(10_000),
    default: 32,
  },
  signature_header: {
    form: headerName.nullable().describe('name of an additional `t=…,v1=…` signature header'),
    shown: z.string().nullable(),
    column: { type: 'text', isNullable: true },
    record: z.string().regex(HEADER_NAME).nullable(),
    default: null,
  },
  description: {
    form: line(1_000).nullable(),
    shown: z.string().nullable(),
    column: { type: 'text', isNullable: true },
    copy: z.string().nullable(),
    absent: null,
    default: null,
  },
} as const satisfies Readonly<Record<string, EndpointOption>>;

export const RATE_OPTIONS = {
  max_per_second: {
    form: z
      .number()
      .min(0.01)
      .max(100_000)
      .nullable()
      .describe('most attempts a second, over all dispatchers; null for no limit'),
    shown: z.number().nullable(),
    column: { type: 'double precision', isNullable: true },
    record: z.number().min(0.001).max(1_000_000).nullable(),
    absent: null,
    initial: () => null,
  },
} as const satisfies Readonly<Record<string, Limit>>;

/** In the API these are fields of `breaker`: `breaker_mode` is `breaker.mode`. */
export const BREAKER_OPTIONS = {
  breaker_mode: {
    form: z
      .enum(BREAKER_MODES)
      .describe(
        'automatic: probes after the cool-down; manual: stays open until the endpoint is resumed; discard: what comes while it is open is dead (`expired`) instead of parked',
      ),
    shown: z.enum(BREAKER_MODES),
    column: { type: 'text' },
    record: z.enum(BREAKER_MODES),
    absent: 'automatic',
    initial: () => 'automatic',
  },
  breaker_threshold: {
    form: z.number().int().min(1).max(MAX_THRESHOLD).describe('deliveries dead in a row that open it'),
    shown: z.number(),
    column: { type: 'int' },
    copy: z.int().min(0).max(MAX_INT),
    absent: 25,
    initial: ({ BREAKER_THRESHOLD }: EndpointDefaults) => BREAKER_THRESHOLD,
  },
  breaker_cooldown_s: {
    form: seconds(MAX_COOLDOWN_S).describe('from its opening to the first probe'),
    shown: z.number(),
    column: { type: 'int' },
    copy: z.int().min(0).max(MAX_INT),
    absent: 60,
    initial: ({ BREAKER_COOLDOWN_S }: EndpointDefaults) => BREAKER_COOLDOWN_S,
  },
  breaker_max_cooldown_s: {
    form: seconds(MAX_COOLDOWN_S).describe('the cool-down doubles with every probe that fails, up to this'),
    shown: z.number(),
    column: { type: 'int' },
    copy: z.int().min(0).max(MAX_INT),
    absent: 3_600,
    initial: ({ BREAKER_MAX_COOLDOWN_S }: EndpointDefaults) => BREAKER_MAX_COOLDOWN_S,
  },
} as const satisfies Readonly<Record<`breaker_${string}`, Limit>>;

/** Parked deliveries older, or more than this are given up as `expired`, oldest first. */
export const PARKING_OPTIONS = {
  max_parked_age_s: {
    form: seconds(MAX_PARKED_AGE_S).describe('older parked deliveries are dead: `expired`'),
    shown: z.number(),
    column: { type: 'int' },
    record: z.int().min(0).max(MAX_INT),
    absent: 7 * 86_400,
    initial: ({ MAX_PARKED_AGE_S: seconds }: EndpointDefaults) => seconds,
  },
  max_parked: {
    form: z.number().int().min(1).max(MAX_PARKED).describe('beyond it the oldest are dead: `expired`'),
    shown: z.number(),
    column: { type: 'int' },
    record: z.int().min(0).max(MAX_INT),
    absent: 1_000_000,
    initial: ({ MAX_PARKED: deliveries }: EndpointDefaults) => deliveries,
  },
} as const satisfies Readonly<Record<string, Limit>>;

export const ENDPOINT_OPTIONS = {
  ...MESSAGE_OPTIONS,
  ...ATTEMPT_OPTIONS,
  ...BREAKER_OPTIONS,
  ...RATE_OPTIONS,
  ...PARKING_OPTIONS,
} as const;
