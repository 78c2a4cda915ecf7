import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of Linux (USER_HZ): 100 on every architecture. */
const TICKS_PER_SECOND = 100;

/**
 * CPU and memory of a process and its descendants, from /proc. PostgreSQL runs one process per connection; the parent's
 * counters include processes that ended.
 *
 * @param stats statistics of all processes
 * @returns undefined where there is no /proc
 */
export function usageOf(pid: number, stats: Map<number, Stat>): { cpuSeconds: number; peakRssMb: number } | undefined {
  try {
    const family = familyOf(pid, stats);
    const cpuSeconds = family.reduce((sum, member) => sum + (stats.get(member)?.cpuSeconds ?? 0), 0);
    return { cpuSeconds, peakRssMb: peakRssMb(pid) };
  } catch {
    return undefined;
  }
}

interface Stat {
  parent: number;
  cpuSeconds: number;
}

/** @returns statistics of all processes; empty without /proc */
export function readStats(): Map<number, Stat> {
  if (!existsSync('/proc')) return new Map();
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(
    pids.flatMap((pid) => {
      const stat = readStat(pid);
      return stat ? [[Number(pid), stat]] : [];
    }),
  );
}

/** @returns undefined when the process has ended */
function readStat(pid: string): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may contain spaces. Fields by proc(5): 4 is the parent, 14 to 17 are CPU times.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}

function familyOf(pid: number, stats: Map<number, Stat>): number[] {
  const children = [...stats].filter(([, { parent }]) => parent === pid).map(([child]) => child);
  return [pid, ...children.flatMap((child) => familyOf(child, stats))];
}

/** @returns MiB that the process has in memory now; 0 when it has ended, and without /proc */
export function residentMb(pid: number): number {
  try {
    return statusMb(pid, 'VmRSS');
  } catch {
    return 0;
  }
}

function peakRssMb(pid: number) {
  return statusMb(pid, 'VmHWM');
}

/** @throws when the process has ended */
function statusMb(pid: number, field: 'VmRSS' | 'VmHWM') {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes ?? 0) / 1_024);
}
