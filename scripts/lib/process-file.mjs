import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identityOf } from './process-identity.mjs';
import { until } from './until.mjs';

/**
 * How a process of a run is stopped.
 *
 * @typedef {object} Stopping
 * @property {number} stage those of the highest one are stopped first
 * @property {NodeJS.Signals} stopSignal
 * @property {number} graceMs how long it may take before its group is killed
 */

/** @typedef {{ name: string, pid: number, identity: string } & Partial<Stopping>} ProcessEntry */

/** Name of the entry of `npm start` itself. */
export const SUPERVISOR = 'supervisor';

/** The processes of a run, kept in a file, so that the next start can find what a killed one left behind. */
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

  /** @returns {ProcessEntry[]} those that still run, and are the very ones that were written */
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

/** A file of a former release names no stages: its servers stop last, and PostgreSQL by a fast shutdown. */
const FORMER_SERVERS = new Set(['kafka', 'postgres']);

/**
 * Ends processes without a supervisor, stage by stage as the supervisor would: apps finish and commit while the servers
 * are still there.
 *
 * @param {ProcessEntry[]} entries
 * @param {number} longestGraceMs 0 kills them
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
    // It has ended meanwhile.
  }
}

/**
 * Readers see the old content or the new, never half of it; nobody else can read it.
 *
 * @param {string} file
 * @param {unknown} content
 */
export function writeAtomically(file, content) {
  writeFileSync(`${file}.new`, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
