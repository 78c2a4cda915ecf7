import { type ChildProcess, fork } from 'node:child_process';

const PROGRAM = new URL('warden-process.mjs', import.meta.url);
const TELL_EVERY_MS = 500;

/** Ends a system's processes should this one be gone before it has stopped them. */
export class Warden {
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly child: ChildProcess,
    folder: string,
    pids: () => readonly (number | undefined)[],
  ) {
    this.timer = setInterval(() => {
      child.send({ folder, pids: pids().filter((pid) => pid !== undefined) });
    }, TELL_EVERY_MS);
  }

  /** @param pids of process groups, as they are now */
  static over(folder: string, pids: () => readonly (number | undefined)[]): Warden {
    return new Warden(fork(PROGRAM, { execArgv: [] }), folder, pids);
  }

  /** All is stopped: there is nothing to end any more. */
  release(): void {
    clearInterval(this.timer);
    this.child.send({ folder: '', pids: [] });
    this.child.disconnect();
  }
}
