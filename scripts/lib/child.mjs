import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * How to start one process.
 *
 * @typedef {object} Launch
 * @property {string} command
 * @property {string[]} args
 * @property {NodeJS.ProcessEnv} [env] the whole environment; by default the caller's
 * @property {string} [cwd]
 * @property {number} [uid]
 * @property {number} [gid]
 * @property {(text: string) => void} [onOutput] receives the standard output, in addition to the log
 */

/** A process in its own group, with its own log file. Ctrl-C and the end of its parent do not end it. */
export class Child {
  /**
   * @param {Launch} launch
   * @param {string} logFile appended to
   */
  constructor(launch, logFile) {
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a');
    const { command, args, onOutput, ...options } = launch;
    const stdio = /** @type {import('node:child_process').StdioOptions} */ (['ignore', onOutput ? 'pipe' : log, log]);
    this.process = spawn(command, args, { ...options, detached: true, stdio });
    closeSync(log);
    this.process.stdout?.setEncoding('utf8').on('data', (text) => {
      appendFileSync(logFile, text);
      onOutput?.(text);
    });
    /** Resolves when the process has ended, with the exit code or signal as text. Never rejects. */
    this.ended = /** @type {Promise<string>} */ (
      new Promise((resolve) => {
        this.process.once('error', (error) => resolve(error.message));
        this.process.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit code ${code}`));
      })
    );
    this.isAlive = this.process.pid !== undefined;
    void this.ended.then(() => {
      this.isAlive = false;
    });
  }

  get pid() {
    return this.process.pid;
  }

  /**
   * Sends the signal, and kills the process group after the grace time.
   *
   * @param {{ signal: NodeJS.Signals, graceMs: number }} options
   */
  async stop({ signal, graceMs }) {
    if (!this.isAlive) return;
    this.process.kill(signal);
    const timer = setTimeout(() => this.signalGroup('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** SIGKILL: the process cannot finish its work, as in a crash. */
  async kill() {
    this.signalGroup('SIGKILL');
    await this.ended;
  }

  /** @param {NodeJS.Signals} signal */
  signalGroup(signal) {
    if (!this.isAlive || this.pid === undefined) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group has ended already.
    }
  }
}
