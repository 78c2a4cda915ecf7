import { Watermark } from '#common/collections/watermark.js';
import { stepBreaker } from '#common/domain/breaker.js';
import { verdictOf } from '#common/domain/verdict.js';
import { KafkajsConsumer } from '#common/kafka/kafkajs/consumer/log-consumer.js';
import { Membership } from '#common/kafka/kafkajs/consumer/membership.js';
import { KafkajsProducer } from '#common/kafka/kafkajs/producer/producer.js';
import { OwnedPartition } from '#common/kafka/partition/owned-partition.js';
import { Projector } from '../../apps/control/src/projector/projector.js';
import { DeliveryEngine } from '../../apps/dispatcher/src/delivery-engine.js';
import { Deferrals } from '../../apps/dispatcher/src/endpoints/deferrals.js';
import { Gates } from '../../apps/dispatcher/src/endpoints/gates.js';
import { ActiveLane } from '../../apps/dispatcher/src/lanes/active-lane.js';
import { LanesToLoad } from '../../apps/dispatcher/src/lanes/lanes-to-load.js';
import { Returner } from '../../apps/retry-scheduler/src/returner.js';
import { type BreakerStep, EndpointTables } from './endpoint-tables.js';
import type { EndpointShape, Fault, Shape } from './shape.js';

/** A flaw that is planted on purpose. */
export interface Flaw {
  /** Parts of the shape in which the flaw shows sooner; the seed decides the rest. */
  readonly shape?: Partial<Shape>;
  readonly breaker?: BreakerStep;
  readonly verdictOf?: typeof verdictOf;
  /** Replaces methods of the product. @returns function that restores them */
  readonly plant?: () => () => void;
}

// biome-ignore lint/suspicious/noExplicitAny: the replaced methods are private and have no known type
type Method = (this: any, ...args: any[]) => unknown;

/** Replaces a method. @returns function that restores the original */
function replaced(prototype: object, name: string, make: (original: Method) => Method): () => void {
  const own = Object.getOwnPropertyDescriptor(prototype, name);
  if (typeof own?.value !== 'function') throw new Error(`there is no method ${name}`);
  Object.defineProperty(prototype, name, { ...own, value: make(own.value) });
  return () => Object.defineProperty(prototype, name, own);
}

/** An endpoint that fails often, so that its lanes are parked. */
const BAD: EndpointShape = {
  id: 'ep_0',
  kind: 'hanging',
  troublePermille: 500,
  fromMs: 0,
  untilMs: 20_000,
  ordering: 'resource',
  policy: { delaysMs: [300, 4_000], jitter: 'none', permanentStatuses: [] },
  breaker: { mode: 'automatic', threshold: 25, cooldownMs: 2_000, maxCooldownMs: 8_000 },
  timeoutMs: 15_000,
  maxInFlight: 4,
  maxPerSecond: null,
  maxParked: 1_000_000,
  maxParkedAgeS: 604_800,
  resources: 3,
  deliveries: 30,
};

/** An endpoint whose breaker opens after each dead delivery, and probes soon. */
const DIES_AT_ONCE: Partial<EndpointShape> = {
  policy: { delaysMs: [], jitter: 'none', permanentStatuses: [] },
  breaker: { mode: 'automatic', threshold: 1, cooldownMs: 1_000, maxCooldownMs: 1_000 },
};

function often(endpoint: Partial<EndpointShape>, ...faults: Fault[]): Partial<Shape> {
  return {
    endpoints: [{ ...BAD, ...endpoint }],
    dispatchers: 2,
    answerLost: 0,
    faultyMs: 20_000,
    faults: Array.from({ length: 8 }, (_, index) => ({
      fault: faults[index % faults.length] ?? 'kill',
      atMs: 1_000 + index * 1_500,
    })),
  };
}

/** Planted flaws. The referee must find each of them. */
export const FLAWS: Readonly<Record<string, Flaw>> = {
  'the watermark follows the records read': {
    plant: () => {
      const own = Object.getOwnPropertyDescriptor(Watermark.prototype, 'committable') ?? {};
      Object.defineProperty(Watermark.prototype, 'committable', {
        ...own,
        get(this: { next: number }) {
          return this.next;
        },
      });
      return () => Object.defineProperty(Watermark.prototype, 'committable', own);
    },
  },
  'an offset is finished before the tier has its record': {
    plant: () =>
      replaced(ActiveLane.prototype, 'perform', (original) => {
        return function (effect) {
          if (effect.type === 'handOver') this.home.unfinished.finish(effect.item.work);
          return original.call(this, effect);
        };
      }),
  },
  'an offset is finished before its record is parked': {
    plant: () =>
      replaced(ActiveLane.prototype, 'perform', (original) => {
        return function (effect) {
          for (const { work } of effect.transaction?.park ?? []) this.home.unfinished.finish(work);
          return original.call(this, effect);
        };
      }),
  },
  'a delivery overtakes deferred deliveries of its lane': {
    shape: { ...often({ kind: 'slow', deliveries: 60 }), endpointQueue: 3, slowAfterMs: 3_000 },
    plant: () =>
      replaced(Deferrals.prototype, 'defers', (original) => {
        return function (delivery) {
          return this.gates.of(delivery.meta.endpointId).isFull && original.call(this, delivery);
        };
      }),
  },
  'deferred deliveries are not read again': {
    shape: { endpointQueue: 3 },
    plant: () => replaced(Deferrals.prototype, 'resume', () => () => undefined),
  },
  'waiting lanes are forgotten': {
    plant: () => replaced(LanesToLoad.prototype, 'add', () => () => undefined),
  },
  'records are read before it is known what waits': {
    plant: () =>
      replaced(OwnedPartition.prototype, 'pause', (original) => {
        return function (reason) {
          return reason === 'preparing' ? undefined : original.call(this, reason);
        };
      }),
  },
  'partitions are kept without a heartbeat': {
    shape: often({}, 'cutFromKafka'),
    plant: () => replaced(KafkajsConsumer.prototype, 'check', () => () => undefined),
  },
  'what the group says of its members is not heard': {
    shape: often({ kind: 'slow', timeoutMs: 15_000 }, 'evict', 'extra'),
    plant: () => replaced(Membership.prototype, 'watchRefusals', () => (_, answer) => answer),
  },
  'what has not ended in time goes on': {
    shape: often({ kind: 'hanging', timeoutMs: 14_000, troublePermille: 200 }, 'extra', 'terminate'),
    plant: () =>
      replaced(KafkajsConsumer.prototype, 'finishInFlight', (original) => {
        return async function () {
          await original.call(this);
          return true;
        };
      }),
  },
  'a rebalance does not wait for attempts in flight': {
    shape: often({ kind: 'slow', timeoutMs: 5_000 }, 'extra', 'terminate'),
    plant: () => replaced(DeliveryEngine.prototype, 'onRebalancing', () => () => Promise.resolve()),
  },
  'a write without an answer counts as acknowledged': {
    plant: () =>
      replaced(KafkajsProducer.prototype, 'send', (original) => {
        return async function (request) {
          await Promise.resolve(original.call(this, request)).catch(() => undefined);
        };
      }),
  },
  'the scheduler finishes records before their write': {
    plant: () =>
      replaced(Returner.prototype, 'writeUntilStored', (original) => {
        return async function (record, source) {
          void original.call(this, record, source);
          return true;
        };
      }),
  },
  'the projector finishes records before their write': {
    plant: () =>
      replaced(Projector.prototype, 'persist', (original) => {
        return async function (batch) {
          void original.call(this, batch);
          return [];
        };
      }),
  },
  'holds are not heard of': { plant: () => replaced(Gates.prototype, 'holdOf', () => () => undefined) },
  'everybody may probe': {
    plant: () =>
      replaced(EndpointTables.prototype, 'takeProbe', () => {
        return function (endpointId) {
          return this.health.get(endpointId)?.breaker.state === 'half_open';
        };
      }),
  },
  'the breaker counts attempts': {
    breaker: (breaker, event, settings, now) =>
      stepBreaker(
        breaker,
        event.type === 'attempted' && event.outcome === 'retry' ? { ...event, outcome: 'dead' } : event,
        settings,
        now,
      ),
  },
  'the breaker does not wait for its cool-down': {
    breaker: (breaker, event, settings, now) =>
      stepBreaker(breaker, event, settings, event.type === 'ticked' ? now + 3_600_000 : now),
  },
  'a breaker ignores repeated attempts': {
    shape: often({ kind: 'down', troublePermille: 1_000, ...DIES_AT_ONCE }, 'kill'),
    breaker: (breaker, event, settings, now) =>
      event.type === 'attempted' && event.isRepeat ? breaker : stepBreaker(breaker, event, settings, now),
  },
  'a retry comes early': {
    verdictOf: (result, context) => {
      const verdict = verdictOf(result, context);
      return verdict.kind === 'retry' ? { ...verdict, delayMs: Math.floor(verdict.delayMs / 2) } : verdict;
    },
  },
  'Retry-After is ignored': {
    verdictOf: (result, context) =>
      verdictOf(result.kind === 'response' ? { ...result, retryAfter: undefined } : result, context),
  },
};
