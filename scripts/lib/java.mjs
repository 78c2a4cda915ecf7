import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Oldest Java version that Kafka 4's brokers run on. */
export const OLDEST_JAVA = 17;

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {string} the `java` command: that of JAVA_HOME, else the first on the path
 */
export function javaCommand(env) {
  return env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java';
}

/**
 * @param {string} command
 * @returns {number | undefined} the major version; undefined when the command fails
 */
export function javaVersion(command) {
  const { status, stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const major = /version "(?:1\.)?(\d+)/.exec(stderr)?.[1];
  return major === undefined ? undefined : Number(major);
}

/** @returns {boolean} whether Maven can be run */
export function hasMaven() {
  return spawnSync('mvn', ['--version'], { stdio: 'ignore' }).status === 0;
}
