import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** State of an open connection in /proc/net/tcp. */
const LOCAL_ADDRESS = 1;
const INODE = 9;

/**
 * Finds the process that owns the socket with this local port, from /proc.
 *
 * @returns undefined for an unknown owner
 */
export function socketOwner(port: number, pids: readonly (number | undefined)[]): number | undefined {
  return pids.find((pid) => pid !== undefined && portsOf(pid).has(port));
}

/** Local ports of a process's sockets; empty for an unknown process. */
export function portsOf(pid: number): Set<number> {
  try {
    const links = new Set(linksOf(pid));
    const sockets = readFileSync('/proc/net/tcp', 'utf8').split('\n');
    const fields = sockets.map((line) => line.trim().split(/\s+/));
    const own = fields.filter((each) => links.has(`socket:[${each[INODE]}]`));
    return new Set(own.map((each) => Number.parseInt(each[LOCAL_ADDRESS]?.split(':')[1] ?? '', 16)));
  } catch {
    return new Set();
  }
}

function linksOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // The socket is closed already.
      return [];
    }
  });
}
