import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { deliveryIdOf } from '#common/domain/identifiers.js';
import { DELIVERY_HEADER, encodeDelivery, newLife } from '#common/records/delivery-record.js';
import { DELIVERIES_TOPIC, INGEST_TOPIC } from '#common/records/topics.js';
import { kafkaClient, keyedProducer } from '../../scripts/lib/kafka-client.js';
import type { AppName } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import { OrderedTraffic } from '../support/ordered-traffic.js';
import { transact, transactionalProducer } from '../support/transactions.js';
import { until } from '../support/until.js';
import { plantedBuild } from '../torture/planted/planted-build.js';
import { REVERTED } from '../torture/planted/reverted.js';

/*
 * Three faults that once stalled partitions while health was green. Each mending is reverted in a copy of the built apps,
 * and the stall must show: in readiness, in a metric, in an error line, and by the end of the process.
 */

const NAMED_WITHIN_MS = 90_000;
/** STALL_SECONDS twice, and two looks of 5 s. */
const ENDED_WITHIN_MS = 120_000;
const TEST_LIMIT_MS = 300_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 60_000);

interface Scene {
  readonly cluster: Cluster;
  /** Its events were delivered, so everything has begun. */
  readonly traffic: OrderedTraffic;
}

async function sceneOf(name: keyof typeof REVERTED): Promise<Scene> {
  const build = plantedBuild(name, REVERTED[name]);
  cleanups.push(() => build.remove());
  const cluster = await Cluster.start({}, [], build.home);
  cleanups.push(() => cluster.stop());
  const traffic = await OrderedTraffic.start(cluster, { resources: 8, rounds: 1 });
  cleanups.push(() => traffic.close());
  await traffic.publish();
  await traffic.complete();
  return { cluster, traffic };
}

/** @returns after how many ms readiness named it. `named` is a part of what readiness says */
async function stallShows({ cluster }: Scene, app: AppName, { topic, named }: { topic: string; named: RegExp }) {
  const since = Date.now();
  const process = cluster.app(app);
  const isNamed = async () => named.test(await (await fetch(`${process.url}/health/ready`)).text());
  await until(`readiness of ${app} names ${topic}`, isNamed, NAMED_WITHIN_MS);
  const namedMs = Date.now() - since;
  const text = await (await fetch(`${process.url}/metrics`)).text();
  expect(text).toMatch(new RegExp(`^posthorn_consumer_stalled_partitions\\{topic="${topic}".*\\} 1$`, 'm'));
  await until(`${app} ends`, () => !process.server.isAlive, ENDED_WITHIN_MS);
  expect(readFileSync(join(cluster.folder, `${process.name}.log`), 'utf8')).toMatch(
    /"level":"error".*"partition\.stalled"/,
  );
  return namedMs;
}

describe('a stall, with its mending reverted', () => {
  it(
    'given an aborted transaction that consumers cannot pass, then it is named within 90 s',
    async () => {
      const scene = await sceneOf('transaction-stalls');
      const producer = await transactionalProducer(scene.cluster.kafka.brokers);
      cleanups.push(() => producer.disconnect());
      await transact(producer, INGEST_TOPIC, 'abort', [{ key: 'r', value: '{}' }]);
      // A fetch holds nothing else.
      await delay(2_000);
      const event = { type: scene.traffic.eventType, resource_id: 'r', data: {} };
      await scene.cluster.call('ingest', '/v1/events', { body: event });

      const named = /ingest\/\d+ has stood still for \d+ s, \d+ records? behind \(not read\)/;
      expect(await stallShows(scene, 'ingest', { topic: INGEST_TOPIC, named })).toBeLessThan(NAMED_WITHIN_MS);
    },
    TEST_LIMIT_MS,
  );

  it(
    'given a delivery that PostgreSQL rejects for ever, then it is named within 90 s',
    async () => {
      const scene = await sceneOf('rejected-value-repeats');
      const { cluster, traffic } = scene;
      const { endpointId, eventType } = traffic;
      await cluster.call('control', `/v1/endpoints/${endpointId}/pause`, { method: 'POST' });
      const eventId = 'nul\0';
      const delivery = { endpointId, eventId, tenant: 'default', eventType, acceptedAt: Date.now() };
      const header = encodeDelivery(newLife({ ...delivery, deliveryId: deliveryIdOf('default', 'nul', endpointId) }));
      const writer = keyedProducer(
        kafkaClient({ clientId: 'outsider', brokers: cluster.kafka.brokers, isQuiet: true }),
      );
      await writer.connect();
      cleanups.push(() => writer.disconnect());
      const message = { key: `${endpointId}:r`, value: '{}', headers: { [DELIVERY_HEADER]: header } };
      await writer.send({ topic: DELIVERIES_TOPIC, messages: [message] });

      const named = /deliveries\/\d+ has stood still for \d+ s, \d+ records? behind \(not finished\)/;
      expect(await stallShows(scene, 'dispatcher', { topic: DELIVERIES_TOPIC, named })).toBeLessThan(NAMED_WITHIN_MS);
    },
    TEST_LIMIT_MS,
  );

  it(
    'given a deleted tier, then it is named within 90 s',
    async () => {
      const scene = await sceneOf('topic-stays-missing');
      const brokers = scene.cluster.kafka.brokers;
      const admin = kafkaClient({ clientId: 'outsider', brokers, isQuiet: true }).admin();
      await admin.connect();
      cleanups.push(() => admin.disconnect());
      await admin.deleteTopics({ topics: ['retry-4s'] });

      const named = /topic retry-4s has been missing for \d+ s/;
      expect(await stallShows(scene, 'retry-scheduler', { topic: 'retry-4s', named })).toBeLessThan(NAMED_WITHIN_MS);
    },
    TEST_LIMIT_MS,
  );
});
