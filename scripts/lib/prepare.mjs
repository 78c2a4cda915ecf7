import { buildApps } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { fetchKafkaLibs } from './kafka-libs.mjs';

/**
 * Brings what a command needs to a fresh clone: packages, the built apps and, where servers are started, Apache Kafka.
 * What is there already is left as it is.
 *
 * @param {import('./progress.mjs').Progress} progress
 * @param {{ signal?: AbortSignal | undefined, needsKafka: boolean, workspaces?: boolean }} options `workspaces`: also what
 *   packages/ and web/ need
 */
export async function prepare(progress, { signal, needsKafka, workspaces = false }) {
  await progress.step('Install dependencies', (note) => installDependencies({ workspaces, signal, note }));
  await progress.step('Build the apps', (note) => buildApps({ signal, note }));
  if (needsKafka) await progress.step('Fetch Apache Kafka', (note) => fetchKafkaLibs({ signal, note }));
}
