import { existsSync, readFileSync } from 'node:fs';
import { readSettings, UserError } from './settings.mjs';

/**
 * The system `npm start` runs on this machine, as it describes itself in `run.json` under POSTHORN_HOME.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<import('./run-file.mjs').RunFile>}
 * @throws UserError when none runs, or it is not ready
 */
export async function runningSystem(env) {
  const { paths } = readSettings(env);
  if (!existsSync(paths.run))
    throw new UserError(`Posthorn is not running (no ${paths.run}). Start it first: npm start`);
  /** @type {import('./run-file.mjs').RunFile} */
  const run = JSON.parse(readFileSync(paths.run, 'utf8'));
  await Promise.all([requireReady('ingest', run.ingest_url), requireReady('control', run.control_url)]);
  return run;
}

/**
 * @param {string} name
 * @param {string} url
 */
async function requireReady(name, url) {
  let problem;
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
    if (response.ok) return;
    problem = await response.text();
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  throw new UserError(`${name} does not answer at ${url} (${problem}). Is npm start still running?`);
}
