import { Kafka, logLevel, Partitioners } from 'kafkajs';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;

// kafkajs re-arms an idle timer every millisecond, with negative times, of which Node warns (docs/adr/0002).
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) schedule.call(this);
};

/**
 * A client for scripts. The apps have their own, in libs/common/src/kafka.
 *
 * @param {{ clientId: string, brokers: string[] }} options
 */
export function kafkaClient({ clientId, brokers }) {
  return new Kafka({ clientId, brokers, logLevel: logLevel.ERROR });
}

/**
 * @param {Kafka} kafka
 * @returns a producer that brings a key to the partition everybody else does: murmur2, as Java's client
 */
export function keyedProducer(kafka) {
  return kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
}
