import { CloudEvent, HTTP } from 'cloudevents';
import { kafkaClient, keyedProducer } from '../lib/kafka-client.mjs';

/** @typedef {import('./github-events.mjs').DemoEvent} DemoEvent */
/** @typedef {{ name: string, publish: (event: DemoEvent) => Promise<void> }} Door resolves when the event is accepted */

/**
 * Every way a producer can bring an event in. The CloudEvents SDK comes twice, once for each mode.
 *
 * @param {{ ingestUrl: string, apiKey: string, brokers: string[], topicPrefix: string, tenant: string }} options
 * @returns {Promise<{ doors: Door[], close: () => Promise<void> }>}
 */
export async function openDoors({ ingestUrl, apiKey, brokers, topicPrefix, tenant }) {
  const post = poster(`${ingestUrl}/v1/events`, apiKey);
  const producer = keyedProducer(kafkaClient({ clientId: 'posthorn-demo', brokers }));
  await producer.connect();

  /** @type {Door[]} */
  const doors = [
    {
      name: 'HTTP API',
      publish: (event) => post({ 'content-type': 'application/json' }, JSON.stringify(envelope(event, tenant))),
    },
    { name: 'CloudEvents, binary', publish: (event) => post(...message(HTTP.binary(cloudEvent(event, tenant)))) },
    {
      name: 'CloudEvents, structured',
      publish: (event) => post(...message(HTTP.structured(cloudEvent(event, tenant)))),
    },
    {
      name: 'Kafka',
      publish: async (event) => {
        const record = { key: event.resourceId, value: JSON.stringify(envelope(event, tenant)) };
        await producer.send({ topic: `${topicPrefix}ingest`, acks: -1, messages: [record] });
      },
    },
  ];
  return { doors, close: () => producer.disconnect() };
}

/**
 * @param {DemoEvent} event
 * @param {string} tenant
 */
function envelope({ id, type, resourceId, data }, tenant) {
  return { id, type, tenant, resource_id: resourceId, occurred_at: new Date().toISOString(), data };
}

/**
 * @param {DemoEvent} event
 * @param {string} tenant
 */
function cloudEvent({ id, type, resourceId, data }, tenant) {
  const time = new Date().toISOString();
  return new CloudEvent({ id, type, source: 'https://github.com', subject: resourceId, time, tenant, data });
}

/**
 * @param {import('cloudevents').Message} message
 * @returns {[Record<string, string>, string]}
 */
function message({ headers, body }) {
  return [/** @type {Record<string, string>} */ (headers), String(body)];
}

/**
 * @param {string} url
 * @param {string} apiKey
 */
function poster(url, apiKey) {
  /**
   * @param {Record<string, string>} headers
   * @param {string} body
   */
  return async (headers, body) => {
    const authorization = `Bearer ${apiKey}`;
    const response = await fetch(url, { method: 'POST', headers: { ...headers, authorization }, body });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`${url} answered ${response.status}: ${text}`);
  };
}
