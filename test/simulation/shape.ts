import { BREAKER_MODES, type BreakerSettings } from '#common/domain/breaker.js';
import { ORDERINGS, type Ordering } from '#common/domain/lane.js';
import { JITTERS, type RetryPolicy } from '#common/domain/retry-policy.js';
import type { Random } from '#common/domain/testing/random.js';
import { type EndpointRecord, UNHELD } from '#common/records/endpoint-record.js';
import { type EndpointKind, KINDS, PERMANENT_STATUS } from './endpoint-behaviour.js';

/** Faults of a history, in addition to those of endpoints. */
export const FAULTS = [
  'kill',
  'freeze',
  'terminate',
  'extra',
  'cutFromKafka',
  'cutFromPostgres',
  'kafkaAway',
  'postgresAway',
  'clockJump',
  'routerRepeats',
  'pause',
  'replay',
  'skip',
  'evict',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Faults without repeats: a process that stops or rebalances first finishes its attempts. */
const GENTLE: readonly Fault[] = ['terminate', 'extra', 'pause', 'skip'];
/** Longest attempt that a dispatcher waits for before it joins a rebalance. */
const SHORT_MS = 5_000;

export interface EndpointShape {
  readonly id: string;
  readonly kind: EndpointKind;
  readonly troublePermille: number;
  /** Start and end of the endpoint's fault, ms after the start of the history. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly ordering: Ordering;
  readonly policy: RetryPolicy;
  readonly breaker: BreakerSettings;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  readonly maxPerSecond: number | null;
  readonly maxParked: number;
  readonly maxParkedAgeS: number;
  readonly resources: number;
  readonly deliveries: number;
}

/** The parts of a history, and its fault rates. Rates are in thousandths, times in ms. */
export interface Shape {
  readonly endpoints: readonly EndpointShape[];
  readonly dispatchers: number;
  readonly logPartitions: number;
  readonly sidePartitions: number;
  readonly sessionMs: number;
  /** Duration of the phase with faults. */
  readonly faultyMs: number;
  readonly faults: readonly { readonly fault: Fault; readonly atMs: number }[];
  readonly answerLost: number;
  readonly late: number;
  readonly latencyMs: number;
  /** Whether a restarted process keeps its name. */
  readonly keepsNames: boolean;
  readonly maxBatch: number;
  readonly endpointQueue: number;
  readonly slowAfterMs: number;
  readonly memoryBytes: number;
  readonly drainPerSecond: number;
  readonly recentDeliveries: number;
  readonly schedulerBytes: number;
}

export function shapeOf(random: Random): Shape {
  const faultyMs = 10_000 + random.pick(30_000);
  const isGentle = random.chance(200);
  const faults = faultsOf(random, isGentle ? GENTLE : FAULTS, faultyMs);
  const endpoints = Array.from({ length: 1 + random.pick(4) }, (_, index) =>
    endpointOf(random, index, faultyMs, isGentle ? [1_000, SHORT_MS] : [1_000, SHORT_MS, 15_000]),
  );
  return {
    endpoints,
    dispatchers: 1 + random.pick(3),
    logPartitions: 1 + random.pick(3),
    sidePartitions: 1 + random.pick(2),
    sessionMs: random.among([6_000, 10_000]),
    faultyMs,
    faults,
    answerLost: isGentle ? 0 : random.among([0, 10, 50]),
    late: random.among([0, 500]),
    latencyMs: random.among([0.5, 2, 10]),
    keepsNames: random.chance(700),
    maxBatch: random.among([1, 5, 100]),
    endpointQueue: random.among([3, 10, 1_000]),
    slowAfterMs: random.among([100, 3_000]),
    memoryBytes: random.among([5_000, 64_000_000, 64_000_000]),
    drainPerSecond: random.among([5, 500]),
    recentDeliveries: random.among([0, 50_000]),
    schedulerBytes: random.among([8_000, 1_000_000]),
  };
}

/** True for a history without a fault that explains a repeat. */
export function isGentle({ faults, answerLost, endpoints }: Shape): boolean {
  return (
    answerLost === 0 &&
    faults.every(({ fault }) => GENTLE.includes(fault)) &&
    endpoints.every(({ timeoutMs }) => timeoutMs <= SHORT_MS)
  );
}

function faultsOf(random: Random, possible: readonly Fault[], faultyMs: number): Shape['faults'] {
  // Each history has few kinds of fault, so that each kind occurs often.
  const kinds = Array.from({ length: 1 + random.pick(4) }, () => random.among(possible));
  const count = random.pick(10);
  return Array.from({ length: count }, () => ({ fault: random.among(kinds), atMs: random.pick(faultyMs) }));
}

function endpointOf(random: Random, index: number, faultyMs: number, timeoutsMs: readonly number[]): EndpointShape {
  const fromMs = random.chance(500) ? 0 : random.pick(faultyMs);
  const isLimited = random.chance(100);
  return {
    id: `ep_${index}`,
    kind: random.chance(300) ? 'healthy' : random.among(KINDS),
    troublePermille: random.among([100, 500, 1_000]),
    fromMs,
    untilMs: fromMs + random.pick(faultyMs),
    ordering: random.among([...ORDERINGS, 'resource']),
    policy: policyOf(random),
    breaker: {
      mode: random.among([...BREAKER_MODES, 'automatic']),
      threshold: random.among([1, 3, 25]),
      cooldownMs: 1_000 + random.pick(4_000),
      maxCooldownMs: 8_000,
    },
    timeoutMs: random.among(timeoutsMs),
    maxInFlight: 1 + random.pick(4),
    maxPerSecond: random.chance(150) ? 5 : null,
    maxParked: isLimited ? 3 : 1_000_000,
    maxParkedAgeS: isLimited ? 10 : 604_800,
    resources: 1 + random.pick(3),
    deliveries: random.among([3, 10, 10, 30]),
  };
}

function policyOf(random: Random): RetryPolicy {
  const delaysMs = random.among([[], [200], [500, 500, 500], [4_000], [300, 4_000], [1_000, 16_000], [20_000]]);
  return {
    delaysMs,
    jitter: random.among(JITTERS),
    capMs: random.chance(300) ? 5_000 : undefined,
    permanentStatuses: random.chance(500) ? [PERMANENT_STATUS] : [],
  };
}

/** The endpoint's configuration, as control would announce it. */
export function recordOf(endpoint: EndpointShape): EndpointRecord {
  return {
    ...UNHELD,
    v: 1,
    id: endpoint.id,
    version: 1,
    tenant: 'default',
    url: 'http://endpoint.invalid/',
    event_types: ['*'],
    ordering: endpoint.ordering,
    retry_policy: {
      delaysMs: [...endpoint.policy.delaysMs],
      jitter: endpoint.policy.jitter,
      permanentStatuses: [...endpoint.policy.permanentStatuses],
      ...(endpoint.policy.capMs === undefined ? {} : { capMs: endpoint.policy.capMs }),
    },
    payload: 'full',
    timeout_ms: endpoint.timeoutMs,
    max_in_flight: endpoint.maxInFlight,
    signature_header: null,
    secrets: [],
    headers_sealed: null,
    enabled: true,
    breaker_mode: endpoint.breaker.mode,
    max_per_second: endpoint.maxPerSecond,
    max_parked: endpoint.maxParked,
    max_parked_age_s: endpoint.maxParkedAgeS,
  };
}
