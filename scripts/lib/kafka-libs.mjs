import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const POM = join(ROOT, 'deploy', 'kafka', 'pom.xml');

/** Kafka's jars. They are a cache beside node_modules, not data: neither a reset nor POSTHORN_HOME touches them. */
export const KAFKA_LIBS = join(ROOT, '.posthorn', 'kafka', 'libs');

/** Copy of the pom the jars were fetched by: a changed pom fetches anew. */
const FETCHED_POM = join(KAFKA_LIBS, 'fetched-by.xml');

/** @returns {boolean} whether the jars of the current pom are there */
export function hasKafkaLibs() {
  return existsSync(FETCHED_POM) && readFileSync(FETCHED_POM, 'utf8') === readFileSync(POM, 'utf8');
}

/**
 * Fetches Kafka's jars by Maven, all or none.
 *
 * @param {(line: string) => void} onProgress
 * @throws Error with Maven's last lines
 */
export async function fetchKafkaLibs(onProgress) {
  const incoming = `${KAFKA_LIBS}.${process.pid}`;
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  try {
    await runMaven(['dependency:copy-dependencies', `-DoutputDirectory=${incoming}`], onProgress);
    await writeFile(join(incoming, 'fetched-by.xml'), readFileSync(POM, 'utf8'));
    await rm(KAFKA_LIBS, { recursive: true, force: true });
    await rename(incoming, KAFKA_LIBS);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

/**
 * @param {string[]} goals
 * @param {(line: string) => void} onProgress
 * @returns {Promise<void>}
 */
function runMaven(goals, onProgress) {
  const maven = spawn('mvn', ['--batch-mode', '--file', POM, ...goals], { stdio: ['ignore', 'pipe', 'pipe'] });
  /** @type {string[]} */
  const output = [];
  let jars = 0;
  for (const stream of [maven.stdout, maven.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      if (/Downloaded .*\.jar/.test(line)) onProgress(`${++jars} jars downloaded`);
    });
  }
  return new Promise((resolve, reject) => {
    maven.once('error', reject);
    maven.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`Maven could not fetch Apache Kafka:\n${output.slice(-12).join('\n')}`));
    });
  });
}
