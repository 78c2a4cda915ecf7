import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identityOf } from './process-identity.mjs';
import { until } from './until.mjs';

/**
 * The way to stop a process of a run.
 *
 * @typedef {object} Stopping
 * @property {number} stage processes of the highest stage stop first
 * @property {NodeJS.Signals} stopSignal
 * @property {number} graceMs time until its process group is killed
 */

/** @typedef {{ name: string, pid: number, identity: string } & Partial<Stopping>} ProcessEntry */

/** Name of the entry of `npm start` itself. */
export const SUPERVISOR = 'supervisor';

/** File with the processes of a run, so that the next start finds those that a killed run left behind. */
export class ProcessFile {
  /** @param {string} file */
  constructor(file) {
    this.file = file;
  }

  /**
   * @param {Record<string, number>} pids by name
   * @param {Record<string, Stopping>} [stopping] by name
   */
  write(pids, stopping = {}) {
    /** @type {ProcessEntry[]} */
    const entries = [];
    for (const [name, pid] of Object.entries(pids)) {
      const identity = identityOf(pid);
      if (identity) entries.push({ name, pid, identity, ...stopping[name] });
    }
    writeAtomically(this.file, entries);
  }

  /** @returns {ProcessEntry[]} entries whose process still runs; pids of new processes do not count */
  alive() {
    try {
      /** @type {ProcessEntry[]} */
      const entries = JSON.parse(readFileSync(this.file, 'utf8'));
      return entries.filter(isAlive);
    } catch {
      return [];
    }
  }

  remove() {
    rmSync(this.file, { force: true });
  }
}

/** Stops for a file of an earlier release, which has no stages: servers stop last, PostgreSQL by a fast shutdown. */
const FORMER_SERVERS = new Set(['kafka', 'postgres']);

/**
 * Ends processes without a supervisor, in the supervisor's stages: apps finish and commit while the servers still
 * run.
 *
 * @param {ProcessEntry[]} entries
 * @param {number} longestGraceMs longest grace time; 0 kills at once
 */
export async function endLeftovers(entries, longestGraceMs) {
  for (const stage of [...new Set(entries.map(stageOf))].sort((a, b) => b - a)) {
    const members = entries.filter((entry) => stageOf(entry) === stage);
    await Promise.all(members.map((entry) => endLeftover(entry, longestGraceMs)));
  }
}

/** @param {ProcessEntry} entry */
function stageOf({ name, stage }) {
  return stage ?? (FORMER_SERVERS.has(name) ? 0 : 1);
}

/**
 * @param {ProcessEntry} entry
 * @param {number} longestGraceMs
 */
async function endLeftover(entry, longestGraceMs) {
  const graceMs = Math.min(entry.graceMs ?? longestGraceMs, longestGraceMs);
  signal(entry, entry.stopSignal ?? (entry.name === 'postgres' ? 'SIGINT' : 'SIGTERM'));
  try {
    await until(`${entry.name} ends`, () => !isAlive(entry), { timeoutMs: graceMs });
  } catch {
    signal(entry, 'SIGKILL');
    await until(`${entry.name}, which was killed, ends`, () => !isAlive(entry), { timeoutMs: 5_000 });
  }
}

/** @param {ProcessEntry} entry */
function isAlive({ pid, identity }) {
  return identityOf(pid) === identity;
}

/**
 * @param {ProcessEntry} entry
 * @param {NodeJS.Signals} name
 */
function signal(entry, name) {
  if (!isAlive(entry)) return;
  try {
    process.kill(name === 'SIGKILL' ? -entry.pid : entry.pid, name);
  } catch {
    // The process has ended already.
  }
}

/**
 * Writes a file atomically, readable by its owner only.
 *
 * @param {string} file
 * @param {unknown} content
 */
export function writeAtomically(file, content) {
  writeFileSync(`${file}.new`, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
