import { CloudEvent, HTTP, type Message } from 'cloudevents';
import { kafkaClient, keyedProducer } from '../lib/kafka-client.ts';
import type { DemoEvent } from './github-events.ts';

interface Door {
  readonly name: string;
  /** Resolves when the event is accepted. */
  readonly publish: (event: DemoEvent) => Promise<void>;
}

/** Every way in which a producer can publish an event. The CloudEvents SDK occurs twice, once per mode. */
export async function openDoors({
  ingestUrl,
  apiKey,
  brokers,
  topicPrefix,
  tenant,
}: {
  ingestUrl: string;
  apiKey: string;
  brokers: string[];
  topicPrefix: string;
  tenant: string;
}): Promise<{ doors: Door[]; close: () => Promise<void> }> {
  const post = poster(`${ingestUrl}/v1/events`, apiKey);
  const producer = keyedProducer(kafkaClient({ clientId: 'posthorn-demo', brokers }));
  await producer.connect();

  const doors: Door[] = [
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

function envelope({ id, type, resourceId, data }: DemoEvent, tenant: string) {
  return { id, type, tenant, resource_id: resourceId, occurred_at: new Date().toISOString(), data };
}

function cloudEvent({ id, type, resourceId, data }: DemoEvent, tenant: string) {
  const time = new Date().toISOString();
  return new CloudEvent({ id, type, source: 'https://github.com', subject: resourceId, time, tenant, data });
}

function message({ headers, body }: Message): [Record<string, string>, string] {
  return [headers as Record<string, string>, String(body)];
}

function poster(url: string, apiKey: string) {
  return async (headers: Record<string, string>, body: string) => {
    const authorization = `Bearer ${apiKey}`;
    const response = await fetch(url, { method: 'POST', headers: { ...headers, authorization }, body });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`${url} answered ${response.status}: ${text}`);
  };
}
