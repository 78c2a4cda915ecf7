import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { runTask } from './task.mjs';

const POM = join(ROOT, 'deploy', 'kafka', 'pom.xml');

/**
 * Folder of Kafka's jars. They are a cache, like node_modules: a reset keeps them, and POSTHORN_HOME does not move
 * them.
 */
export const KAFKA_LIBS = join(ROOT, '.posthorn', 'kafka', 'libs');

/** Copy of the pom from which the jars were fetched. A changed pom causes a new fetch. */
const FETCHED_POM = join(KAFKA_LIBS, 'fetched-by.xml');

/** @returns {boolean} whether the jars of the current pom are fetched */
export function hasKafkaLibs() {
  return existsSync(FETCHED_POM) && readFileSync(FETCHED_POM, 'utf8') === readFileSync(POM, 'utf8');
}

/**
 * Fetches Kafka's jars with Maven. After an error no jar is kept.
 *
 * @param {{ signal?: AbortSignal | undefined, note: (text: string) => void }} options
 * @throws Error with Maven's last lines
 */
export async function fetchKafkaLibs({ signal, note }) {
  if (hasKafkaLibs()) return note('up to date');
  const incoming = `${KAFKA_LIBS}.${process.pid}`;
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  try {
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${incoming}`];
    let jars = 0;
    await runTask(
      { command: 'mvn', args: ['--batch-mode', '--file', POM, ...goal] },
      {
        failure: 'Maven could not fetch Apache Kafka',
        signal,
        onLine: (line) => {
          if (/Downloaded .*\.jar/.test(line)) note(`${++jars} jars downloaded`);
        },
      },
    );
    await writeFile(join(incoming, 'fetched-by.xml'), readFileSync(POM, 'utf8'));
    await rm(KAFKA_LIBS, { recursive: true, force: true });
    await rename(incoming, KAFKA_LIBS);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}
