import { join } from 'node:path';
import { BaseBackup, type WalArchive } from './base-backup.js';
import type { Cluster } from './cluster.js';

/** Makes a backup of the cluster's database, while all apps run. */
export function takeBackup(cluster: Cluster, archive?: WalArchive): Promise<BaseBackup> {
  const server = { url: cluster.postgres.url, data: dataOf(cluster), ...(archive ? { archive } : {}) };
  return BaseBackup.take(server, join(cluster.folder, 'backup'));
}

/**
 * Stops the apps, replaces the database by the backup, and starts the apps again, control first.
 *
 * @param whenStopped called while no app runs, before the database is replaced
 */
export async function restoreDatabase(
  cluster: Cluster,
  backup: BaseBackup,
  whenStopped: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const apps = [...cluster.processes.all()];
  await Promise.all(apps.map(({ server }) => server.stop()));
  await whenStopped();
  await cluster.postgres.stop();
  await backup.restore(dataOf(cluster));
  await cluster.postgres.start();
  await cluster.app('control').server.start();
  await Promise.all(apps.filter(({ app }) => app !== 'control').map(({ server }) => server.start()));
}

function dataOf(cluster: Cluster): string {
  return join(cluster.folder, 'postgres', 'data');
}
