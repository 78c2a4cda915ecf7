import { runSql } from '../../../scripts/lib/postgres.mjs';
import { BaseBackup } from '../../support/base-backup.js';
import { overtakenLanes } from '../../support/rebuild-output.js';
import { runScript } from '../../support/run-script.js';
import type { RestoredDatabase } from '../judge/evidence.js';
import type { Fault, Scene } from './fault.js';

/** Time from the backup to the restore. */
const SINCE_BACKUP_MS = 10_000;
/** Time for several samples of commits and parked rows, after the last app has stopped. */
const SAMPLED_MS = 1_000;
/** Most rebuilds. Each restores records finished before its start, while the apps continue. The last one finds none. */
const MAX_REBUILDS = 5;
const DESCRIPTION = 'changed after the backup';
const WAITING_SQL = `SELECT delivery_id FROM parked_deliveries
  UNION SELECT delivery_id FROM lane_rows WHERE attempt IS NOT NULL`;

/** PostgreSQL is restored from a backup, and Kafka keeps its data. */
export const RESTORE_FAULTS = {
  'postgres-restored': { inject: postgresRestored, budgets: { stallMs: 120_000, healMs: 90_000 } },
} satisfies Record<string, Fault>;

/** A backup under load, more load and changes, then the steps of docs/operating.md: restore, reconcile, rebuild. */
async function postgresRestored(scene: Scene): Promise<void> {
  const { system, run } = scene;
  const { apps, supervised, postgres } = system;
  const server = { url: system.postgresUrl, data: system.postgresData };
  const backup = await BaseBackup.take(server, system.file(`backup-${run.name}`));
  const path = `/v1/endpoints/${run.endpoints.strict.id}`;
  await apps.call('control', path, { method: 'PATCH', body: { description: DESCRIPTION } });
  await scene.last(SINCE_BACKUP_MS);
  for (const process of apps.all()) supervised.hold(process);
  const users = apps.all().filter(({ app }) => app !== 'control');
  await Promise.all(users.map((process) => supervised.terminate(process)));
  await Promise.all(apps.all().flatMap((process) => (users.includes(process) ? [] : [supervised.terminate(process)])));
  await scene.last(SAMPLED_MS);
  const lost = await waiting(scene);
  await scene.during({ kind: 'database_restored', target: 'postgres', inFlight: lost.size }, async () => {
    supervised.noteName('postgres', 'postgres', 'stopping');
    await postgres.stop();
    await backup.restore(system.postgresData);
    await postgres.start();
    supervised.noteName('postgres', 'postgres', 'ready');
    const restored = { at: Date.now(), waiting: await waiting(scene) };
    for (const process of apps.all()) supervised.release(process);
    await supervised.allReady();
    await script(scene, 'reconcile', ['--keep', 'topics']);
    run.restored = { ...restored, ...(await rebuildAll(scene, backup)) };
    return 1;
  });
  const { description } = await apps.call<{ description: string }>('control', path);
  if (description !== DESCRIPTION) throw new Error(`the endpoint's description went back to ${description}`);
}

/** Repeats the rebuild until it finds no delivery, as docs/operating.md says. */
async function rebuildAll(
  scene: Scene,
  { startedAt }: BaseBackup,
): Promise<Pick<RestoredDatabase, 'rebuilds' | 'overtaken'>> {
  const overtaken = new Set<string>();
  const rebuilds: RestoredDatabase['rebuilds'][number][] = [];
  while (rebuilds.length < MAX_REBUILDS) {
    const from = Date.now();
    const output = await script(scene, 'rebuild', ['--since', new Date(startedAt).toISOString()]);
    rebuilds.push({ from, to: Date.now() });
    for (const lane of overtakenLanes(output)) overtaken.add(lane);
    if (output.includes(' 0 deliveries were sent again')) return { rebuilds, overtaken };
  }
  throw new Error(`after ${MAX_REBUILDS} rebuilds there was still something to send`);
}

/** @returns output of the script */
async function script({ system }: Scene, name: string, args: string[]): Promise<string> {
  const { code, output } = await runScript(name, system.scriptEnv, args);
  if (code !== 0) throw new Error(`npm run ${name} ended with ${code}:\n${output}`);
  return output;
}

/** Ids of deliveries that wait in PostgreSQL. */
async function waiting({ system }: Scene): Promise<Set<string>> {
  const rows = await runSql(system.postgresUrl, WAITING_SQL);
  return new Set(rows.map(({ delivery_id }) => String(delivery_id)));
}
