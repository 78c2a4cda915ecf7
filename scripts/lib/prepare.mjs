import { buildApps } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { fetchKafkaLibs } from './kafka-libs.mjs';

/**
 * Prepares a fresh clone for a command: packages, the built apps, and Apache Kafka for commands that start servers.
 * Steps that are done already are skipped.
 *
 * @param {import('./progress.mjs').Progress} progress
 * @param {{ signal?: AbortSignal | undefined, needsKafka: boolean, workspaces?: boolean }} options `workspaces`: also
 * what
 *   packages/ and web/ need
 */
export async function prepare(progress, { signal, needsKafka, workspaces = false }) {
  await progress.step('Install dependencies', (note) => installDependencies({ workspaces, signal, note }));
  await progress.step('Build the apps', (note) => buildApps({ signal, note }));
  if (needsKafka) await progress.step('Fetch Apache Kafka', (note) => fetchKafkaLibs({ signal, note }));
}
