import type { Generations } from '#common/generations/generations.js';
import { ATTEMPTS_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import type { ProjectionWriter } from '../../apps/control/src/projector/projection-writer.js';
import { Projector } from '../../apps/control/src/projector/projector.js';
import { SimulatedProjectionWriter } from './projection-tables.js';
import { consume, type Site } from './site.js';
import { standIn } from './stand-in.js';
import type { Host } from './virtual-time.js';

/** The simulation replaces no log. */
const NO_NEW_LOGS = { of: () => Promise.resolve(0), ofAll: () => Promise.resolve(new Map()) };

/** Starts control's projector, wired as in its app.module.ts. @returns function that stops it in order */
export function startProjector(host: Host, site: Site): () => Promise<void> {
  const settings = site.settings(host);
  const writer = new SimulatedProjectionWriter(site.projection, site.cluster.network);
  const projector = new Projector(standIn<ProjectionWriter>(writer), standIn<Generations>(NO_NEW_LOGS));
  projector.onApplicationBootstrap();
  return consume(site, settings, {
    groupId: 'control',
    topics: [ATTEMPTS_TOPIC, DLQ_TOPIC],
    ownership: projector,
    paceMs: 50,
    waitsFor: () => site.cluster.network.databaseProblem(host),
    onBatch: (batch) => projector.take(batch),
  });
}
