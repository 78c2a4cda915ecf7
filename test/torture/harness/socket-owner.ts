import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Of /proc/net/tcp. */
const LOCAL_ADDRESS = 1;
const INODE = 9;

/**
 * Which of these processes has the socket with this local port, as Linux tells.
 *
 * @returns undefined when it cannot be told
 */
export function socketOwner(port: number, pids: readonly (number | undefined)[]): number | undefined {
  try {
    const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    const sockets = readFileSync('/proc/net/tcp', 'utf8').split('\n');
    const fields = sockets.map((line) => line.trim().split(/\s+/));
    const link = `socket:[${fields.find((each) => each[LOCAL_ADDRESS]?.endsWith(ending))?.[INODE]}]`;
    return pids.find((pid) => pid !== undefined && linksOf(pid).includes(link));
  } catch {
    return undefined;
  }
}

function linksOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}
