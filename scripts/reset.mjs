import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { KAFKA_LIBS } from './lib/kafka-libs.mjs';
import { ProcessFile } from './lib/process-file.mjs';
import { readSettings } from './lib/settings.mjs';

/* `npm run reset`: deletes all events, endpoints, keys and logs of the local system. Kafka's jars stay. */

const { paths } = readSettings(process.env);
const alive = new ProcessFile(paths.processes).alive();
if (alive.length > 0) {
  const names = alive.map(({ name, pid }) => `${name} (process ${pid})`).join(', ');
  process.stderr.write(`Still running in ${paths.home}: ${names}. Stop it first.\n`);
  process.exit(1);
}
removeAllBut(paths.home);
process.stdout.write(`${paths.home} is empty: the next npm start begins anew, with a new API key.\n`);

/**
 * @param {string} folder folder to empty, except for Kafka's jars
 */
function removeAllBut(folder) {
  let names;
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const path of names.map((name) => join(folder, name))) {
    if (path === KAFKA_LIBS) continue;
    if (KAFKA_LIBS.startsWith(`${path}/`)) removeAllBut(path);
    else rmSync(path, { recursive: true, force: true });
  }
}
