import { type ChildProcess, fork } from 'node:child_process';

const PROGRAM = new URL('warden-process.mjs', import.meta.url);
const TELL_EVERY_MS = 500;

/** Kills a system's processes when this process ends before it has stopped them. */
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

  /** @param pids present process groups */
  static over(folder: string, pids: () => readonly (number | undefined)[]): Warden {
    return new Warden(fork(PROGRAM, { execArgv: [] }), folder, pids);
  }

  /** Called after an orderly stop: no process is left to kill. */
  release(): void {
    clearInterval(this.timer);
    this.child.send({ folder: '', pids: [] });
    this.child.disconnect();
  }
}
