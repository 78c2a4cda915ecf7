import { createRequire } from 'node:module';
import { type PartitionAssigner, PartitionAssigners } from 'kafkajs';
import Broker from 'kafkajs/src/broker/index.js';
import BrokerPool, { type Metadata } from 'kafkajs/src/cluster/brokerPool.js';
import Cluster from 'kafkajs/src/cluster/index.js';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import Fetch from 'kafkajs/src/protocol/requests/fetch/index.js';
import Produce, { type ProduceArguments } from 'kafkajs/src/protocol/requests/produce/index.js';
import { encodeProduce, PartitionBatch, type ProduceContent } from '../wire/produce-request.js';
import { decodeFetchResponse, FIRST_FETCH_VERSION, LAST_FETCH_VERSION } from './fetch-response.js';
import { handedOver } from './fetched-batch.js';
import type { GroupHooks } from './group-hooks.js';
import { addQueries, patchMissingTopics, readOnlyWhereSought, recoverFetch } from './missing-topics.js';
import { ownMembersOnly } from './own-members.js';

/** The only release these patches were written and measured for. */
const KAFKAJS_VERSION = '2.2.4';

/** kafkajs looks for overdue requests ten times a second, on every connection. Their timeouts are seconds. */
const TIMEOUT_CHECK_MS = 500;

const HOOKS = Symbol('posthorn:group-hooks');
let arePatched = false;

/**
 * Mends kafkajs in place, once per process (docs/adr/0002):
 * - its request queue re-arms a timer every millisecond without end: 5 % of a core per dozen idle connections, measured; and
 *   another every 100 ms;
 * - it has no hook before a join and none after an assignment, and resets an offset outside the log silently;
 * - it ends a consumer when no broker names its coordinator at once, as while a broker starts;
 * - it times heartbeats by the wall clock: after a jump back by an hour it sends none for an hour;
 * - it counts a broker as connected before its versions are known, and a request at that moment ends the consumer;
 * - it takes six times the necessary time to encode a record;
 * - it advances a consumer over filtered records without a call of its handler, and decodes headers in quadratic time
 *   (docs/adr/0018);
 * - it loses a topic when one broker's answer overtakes another's, which ends the consumer that needs the topic;
 * - one missing topic, leaderless partition or silent broker stops all others (missing-topics.ts).
 *
 * @throws Error when another release of kafkajs is installed
 */
export function patchKafkajs(): void {
  if (arePatched) return;
  const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string };
  if (version !== KAFKAJS_VERSION) throw new Error(`kafkajs ${version} is installed, ${KAFKAJS_VERSION} is needed`);
  patchTimer();
  patchGroup();
  patchCoordinator();
  patchBroker();
  patchProduce();
  patchFetch();
  patchMetadata();
  patchMissingTopics();
  addQueries();
  arePatched = true;
}

/** A partition assigner that carries the hooks of its consumer. */
export function hookedAssigner(hooks: Partial<GroupHooks>): PartitionAssigner {
  return (config) => {
    const assigner = ownMembersOnly(PartitionAssigners.roundRobin(config), (ids) => hooks.onStrangers?.(ids));
    return Object.assign(assigner, { [HOOKS]: hooks });
  };
}

function patchTimer(): void {
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };

  RequestQueue.prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue) {
    if (!this.enforceRequestTimeout) return;
    this.destroy();
    const check = () => {
      for (const request of this.inflight.values()) {
        if (Date.now() - request.sentAt > request.requestTimeout) request.timeoutRequest();
      }
      if (!this.isConnected()) this.destroy();
    };
    this.requestTimeoutIntervalId = setInterval(check, Math.min(this.requestTimeout, TIMEOUT_CHECK_MS));
  };
}

function patchGroup(): void {
  const { joinAndSync, fetch, recoverFromFetch, recoverFromOffsetOutOfRange, heartbeat, filterPartitionsByNode } =
    ConsumerGroup.prototype;

  ConsumerGroup.prototype.joinAndSync = async function (this: ConsumerGroup) {
    const hooks = hooksOf(this);
    await hooks?.beforeJoin?.(this);
    try {
      await joinAndSync.call(this);
    } catch (error) {
      throw asRetriable(error, hooks);
    }
    if (hooks?.afterJoin) readOnlyWhereSought(this);
    await hooks?.afterJoin?.(this);
  };

  ConsumerGroup.prototype.fetch = async function (this: ConsumerGroup, nodeId: number) {
    const hooks = hooksOf(this);
    await hooks?.beforeFetch?.(this);
    const batches = await fetch.call(this, nodeId);
    hooks?.afterFetch?.();
    return batches.map(handedOver);
  };

  ConsumerGroup.prototype.filterPartitionsByNode = function (this: ConsumerGroup, nodeId, topics) {
    const filtered = filterPartitionsByNode.call(this, nodeId, topics);
    return hooksOf(this) ? HookedTopics.from(filtered) : filtered;
  };

  ConsumerGroup.prototype.heartbeat = function (this: ConsumerGroup, options) {
    if (this.lastRequest > Date.now()) this.lastRequest = 0;
    const answer = heartbeat.call(this, options);
    return hooksOf(this)?.watchRefusals?.(this, answer) ?? answer;
  };

  ConsumerGroup.prototype.recoverFromFetch = async function (this: ConsumerGroup, error) {
    if (!(await recoverFetch(this, error))) await recoverFromFetch.call(this, error);
  };

  ConsumerGroup.prototype.recoverFromOffsetOutOfRange = function (this: ConsumerGroup, error) {
    const hooks = hooksOf(this);
    if (hooks?.onOutOfRange === undefined) return recoverFromOffsetOutOfRange.call(this, error);
    return hooks.onOutOfRange(this, error.topic, error.partition);
  };
}

/** With another program in the group a consumer tries again until that program has left. kafkajs would end it. */
function asRetriable(error: unknown, hooks: Partial<GroupHooks> | undefined): unknown {
  if (!(error instanceof Error && 'type' in error && error.type === 'INCONSISTENT_GROUP_PROTOCOL')) return error;
  hooks?.onOtherProtocol?.();
  return Object.assign(error, { retriable: true });
}

/** The same failure, but one after which a consumer starts again. */
function patchCoordinator(): void {
  const { findGroupCoordinatorMetadata } = Cluster.prototype;
  Cluster.prototype.findGroupCoordinatorMetadata = async function (this: Cluster, query: object) {
    try {
      return await findGroupCoordinatorMetadata.call(this, query);
    } catch (error) {
      throw error instanceof Error ? Object.assign(error, { retriable: true }) : error;
    }
  };
}

/**
 * kafkajs counts a broker as connected before the answer to its first request. Until then any other request throws an error
 * that ends the consumer. A broker that left at that moment, behind a proxy that still accepted, ended the process. With this patch a request waits until the broker is connected.
 */
function patchBroker(): void {
  const { isConnected } = Broker.prototype;
  Broker.prototype.isConnected = function (this: Broker) {
    return isConnected.call(this) && this.lookupRequest.name !== NO_VERSIONS_YET;
  };
}

/** Name of kafkajs's placeholder for the unknown versions of a broker. */
const NO_VERSIONS_YET = 'notInitializedLookup';

/** The first version that carries record batches; up to the last one kafkajs speaks its form has not changed. */
const FIRST_WITH_BATCHES = 3;

/** What our producers send is encoded by {@link encodeProduce}; what others send stays kafkajs's. */
function patchProduce(): void {
  const { protocol } = Produce;
  Produce.protocol = ({ version }) => {
    const make = protocol({ version });
    return (content) => {
      const made = make(content);
      if (version < FIRST_WITH_BATCHES || !isOurs(content)) return made;
      const encode = async () => {
        const body = encodeProduce(unwrapped(content), Date.now());
        return { buf: body, buffer: body };
      };
      return { ...made, request: { ...made.request, encode } };
    };
  };
}

type Produced = ProduceArguments<PartitionBatch>;

function isOurs(content: ProduceArguments<object>): content is Produced {
  return content.topicData.every(({ partitions }) =>
    partitions.every(({ messages }) => messages.every((message) => message instanceof PartitionBatch)),
  );
}

function unwrapped({ acks, timeout, topicData }: Produced): ProduceContent {
  const records = ({ partition, messages }: Produced['topicData'][number]['partitions'][number]) => ({
    partition,
    records: messages.flatMap((batch) => batch.records),
  });
  return {
    acks,
    timeout,
    topicData: topicData.map(({ topic, partitions }) => ({ topic, partitions: partitions.map(records) })),
  };
}

/**
 * The topics that a consumer with hooks fetches. `map` and `filter` keep the class, which marks its requests: their answers
 * are decoded by {@link decodeFetchResponse}, those of other consumers by kafkajs.
 */
class HookedTopics<Topic> extends Array<Topic> {}

function patchFetch(): void {
  const { fetch } = Broker.prototype;
  let isHooked = false;
  // The broker copies the topics, and asks for the protocol before it first waits.
  Broker.prototype.fetch = function (this: Broker, request) {
    isHooked = request.topics instanceof HookedTopics;
    try {
      return fetch.call(this, request);
    } finally {
      isHooked = false;
    }
  };

  const { protocol } = Fetch;
  Fetch.protocol = ({ version }) => {
    const make = protocol({ version });
    if (!isHooked || version < FIRST_FETCH_VERSION || version > LAST_FETCH_VERSION) return make;
    return (content) => {
      const made = make(content);
      const decode = async (body: Buffer) => decodeFetchResponse(body, version);
      return { ...made, response: { ...made.response, decode } };
    };
  };
}

const METADATA = Symbol('posthorn:metadata');

/**
 * kafkajs asks brokers in no order, each about the topics it needs then, and an answer replaces all metadata. A late answer
 * to an earlier question removed a topic again, and its reader found no partitions. This patch keeps topics that an answer
 * omits.
 */
function patchMetadata(): void {
  Object.defineProperty(BrokerPool.prototype, 'metadata', {
    // Scripts mend it, too, for themselves.
    configurable: true,
    get(this: { [METADATA]?: Metadata | null }) {
      return this[METADATA] ?? null;
    },
    set(this: { [METADATA]?: Metadata | null }, answer: Metadata | null) {
      this[METADATA] = answer && withOthers(answer, this[METADATA]);
    },
  });
}

function withOthers(answer: Metadata, before: Metadata | null | undefined): Metadata {
  const told = new Set(answer.topicMetadata.map(({ topic }) => topic));
  const others = before?.topicMetadata.filter(({ topic }) => !told.has(topic)) ?? [];
  return { ...answer, topicMetadata: [...answer.topicMetadata, ...others] };
}

/** What {@link hookedAssigner} made the first of these assigners carry. */
export function hooksOf({ assigners }: { readonly assigners: readonly object[] }): Partial<GroupHooks> | undefined {
  const assigner = assigners[0] as { [HOOKS]?: Partial<GroupHooks> } | undefined;
  return assigner?.[HOOKS];
}
