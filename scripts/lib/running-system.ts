import { existsSync, readFileSync } from 'node:fs';
import type { RunFile } from './run-file.mjs';
import { readSettings, UserError } from './settings.mjs';

/**
 * Reads `run.json` of the system that `npm start` runs on this machine.
 *
 * @throws UserError when no system runs
 */
export function readRunFile(env: NodeJS.ProcessEnv): RunFile {
  const { paths } = readSettings(env);
  if (existsSync(paths.run)) return JSON.parse(readFileSync(paths.run, 'utf8'));
  throw new UserError(`Posthorn is not running (there is no ${paths.run}). Start it first: npm start`);
}

/**
 * The environment; missing server addresses are those of the system that `npm start` runs.
 *
 * @throws UserError when an address is missing and no system runs
 */
export function withServers(
  env: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv & { KAFKA_BROKERS: string; DATABASE_URL: string } {
  const { KAFKA_BROKERS, DATABASE_URL } = env;
  if (KAFKA_BROKERS && DATABASE_URL) return { ...env, KAFKA_BROKERS, DATABASE_URL };
  const run = readRunFile(env);
  return {
    ...env,
    KAFKA_BROKERS: KAFKA_BROKERS || run.kafka_brokers.join(','),
    DATABASE_URL: DATABASE_URL || run.database_url,
  };
}

/**
 * {@link readRunFile}, once ingest and control answer requests.
 *
 * @throws UserError when no system runs, or it is not ready
 */
export async function runningSystem(env: NodeJS.ProcessEnv): Promise<RunFile> {
  const run = readRunFile(env);
  await Promise.all([requireReady('ingest', run.ingest_url), requireReady('control', run.control_url)]);
  return run;
}

async function requireReady(name: string, url: string) {
  let problem: string;
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
    if (response.ok) return;
    problem = await response.text();
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  throw new UserError(`${name} does not answer at ${url} (${problem}). Is npm start still running?`);
}
