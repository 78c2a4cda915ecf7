import { TIERS } from '#common/domain/tier.js';
import { KafkajsProducer } from '#common/kafka/kafkajs/producer/producer.js';
import { Returner } from '../../apps/retry-scheduler/src/returner.js';
import { Scheduler } from '../../apps/retry-scheduler/src/scheduler.js';
import { KafkaClient } from './kafka-client.js';
import { consume, type Site } from './site.js';
import type { Host } from './virtual-time.js';

/** Starts a retry-scheduler, wired as in its app.module.ts. @returns function that stops it in order */
export function startScheduler(host: Host, site: Site): () => Promise<void> {
  const { cluster, shape } = site;
  const settings = site.settings(host);
  const producer = new KafkajsProducer(settings, new KafkaClient(cluster, settings.clientId));
  const limits = { eagerBytes: shape.schedulerBytes, tierBytes: shape.schedulerBytes, batchBytes: 1_000_000 };
  const scheduler = new Scheduler(new Returner(producer), limits, Date.now);
  return consume(site, settings, {
    groupId: 'retry-scheduler',
    topics: TIERS.map(({ topic }) => topic),
    ownership: scheduler,
    paceMs: 20,
    waitsFor: (log) => scheduler.waitsFor(log),
    onBatch: (batch) => scheduler.take(batch),
  });
}
