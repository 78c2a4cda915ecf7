import { Kafka, logLevel, Partitioners } from 'kafkajs';
import BrokerPool from 'kafkajs/src/cluster/brokerPool.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { saslOf } from './kafka-sasl.mjs';

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;

// kafkajs re-arms an idle timer every millisecond, with negative times, of which Node warns (docs/adr/0002).
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) schedule.call(this);
};

/** @typedef {import('kafkajs/src/cluster/brokerPool.js').Metadata} Metadata */
const KNOWN = Symbol('what is known of topics');

// An answer that another broker's has overtaken takes topics away again (docs/adr/0002): what it does not tell of is kept.
Object.defineProperty(BrokerPool.prototype, 'metadata', {
  configurable: true,
  /** @this {{ [KNOWN]?: Metadata | null }} */
  get() {
    return this[KNOWN] ?? null;
  },
  /** @this {{ [KNOWN]?: Metadata | null }} @param {Metadata | null} answer */
  set(answer) {
    const told = new Set(answer?.topicMetadata.map(({ topic }) => topic));
    const others = this[KNOWN]?.topicMetadata.filter(({ topic }) => !told.has(topic)) ?? [];
    this[KNOWN] = answer && { ...answer, topicMetadata: [...answer.topicMetadata, ...others] };
  },
});

/**
 * A client for scripts and tests. The apps have their own, in libs/common/src/kafka.
 *
 * @param {{ clientId: string, brokers: string[], isQuiet?: boolean, env?: NodeJS.ProcessEnv }} options `isQuiet` where brokers
 *   are expected to be away at times; `env` has the user name and password, if the brokers ask for them
 */
export function kafkaClient({ clientId, brokers, isQuiet = false, env = process.env }) {
  return new Kafka({ clientId, brokers, ...saslOf(env), logLevel: isQuiet ? logLevel.NOTHING : logLevel.ERROR });
}

/**
 * @param {Kafka} kafka
 * @param {import('kafkajs').ProducerConfig} [options]
 * @returns a producer that brings a key to the partition everybody else does: murmur2, as Java's client
 */
export function keyedProducer(kafka, options) {
  return kafka.producer({ ...options, createPartitioner: Partitioners.DefaultPartitioner });
}
