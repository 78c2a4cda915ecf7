import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identityOf } from './process-identity.mjs';
import { until } from './until.mjs';

/** @typedef {{ name: string, pid: number, identity: string }} ProcessEntry */

/** Name of the entry of `npm start` itself. */
export const SUPERVISOR = 'supervisor';

/** The processes of a run, kept in a file, so that the next start can find what a killed one left behind. */
export class ProcessFile {
  /** @param {string} file */
  constructor(file) {
    this.file = file;
  }

  /** @param {Record<string, number>} pids by name */
  write(pids) {
    /** @type {ProcessEntry[]} */
    const entries = [];
    for (const [name, pid] of Object.entries(pids)) {
      const identity = identityOf(pid);
      if (identity) entries.push({ name, pid, identity });
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

/**
 * Ends processes that nobody supervises any more.
 *
 * @param {ProcessEntry[]} entries
 * @param {number} graceMs
 */
export async function endLeftovers(entries, graceMs) {
  for (const entry of entries) signal(entry, 'SIGTERM');
  try {
    await until('they end', () => !entries.some(isAlive), { timeoutMs: graceMs });
  } catch {
    for (const entry of entries) signal(entry, 'SIGKILL');
    await until('killed processes end', () => !entries.some(isAlive), { timeoutMs: 5_000 });
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
