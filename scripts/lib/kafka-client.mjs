import { Kafka, logLevel, Partitioners } from 'kafkajs';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;

// kafkajs re-arms an idle timer every millisecond, with negative times, of which Node warns (docs/adr/0002).
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) schedule.call(this);
};

/**
 * A client for scripts and tests. The apps have their own, in libs/common/src/kafka.
 *
 * @param {{ clientId: string, brokers: string[], isQuiet?: boolean }} options `isQuiet` where brokers are expected to be
 *   away at times
 */
export function kafkaClient({ clientId, brokers, isQuiet = false }) {
  return new Kafka({ clientId, brokers, logLevel: isQuiet ? logLevel.NOTHING : logLevel.ERROR });
}

/**
 * @param {Kafka} kafka
 * @returns a producer that brings a key to the partition everybody else does: murmur2, as Java's client
 */
export function keyedProducer(kafka) {
  return kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
}
