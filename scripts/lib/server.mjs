import { readFileSync } from 'node:fs';
import { Child } from './child.mjs';

/**
 * A process that is started, becomes ready, and is stopped.
 *
 * @typedef {object} Service
 * @property {string} name
 * @property {() => Promise<import('./child.mjs').Launch>} prepare runs before every start, and creates missing files
 * @property {(signal: AbortSignal) => Promise<void>} ready resolves when the service answers requests
 * @property {NodeJS.Signals} stopSignal
 * @property {number} graceMs time to stop, until its process group is killed
 */

/** Runs a service, once or several times. */
export class Server {
  /** @type {Child | undefined} */
  child;

  /**
   * @param {Service} service
   * @param {string} logFile
   */
  constructor(service, logFile) {
    this.service = service;
    this.logFile = logFile;
  }

  get name() {
    return this.service.name;
  }

  /** Pid of the latest run; undefined before the first. */
  get pid() {
    return this.child?.pid;
  }

  get isAlive() {
    return this.child?.isAlive ?? false;
  }

  /**
   * Starts the service and waits until it is ready.
   *
   * @param {(child: Child) => void} [onSpawned] called before the wait
   * @throws Error with the end of its log, when the process ends before it is ready, or takes too long
   */
  async start(onSpawned) {
    const launch = await this.service.prepare();
    const child = new Child(launch, this.logFile);
    this.child = child;
    onSpawned?.(child);
    const given = new AbortController();
    try {
      await Promise.race([
        this.service.ready(given.signal),
        child.ended.then((how) => Promise.reject(new Error(`${this.name} ended while it started (${how})`))),
      ]);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.logTail()}`, { cause: error });
    } finally {
      given.abort();
    }
  }

  async stop() {
    const { stopSignal, graceMs } = this.service;
    await this.child?.stop({ signal: stopSignal, graceMs });
  }

  /** SIGKILL, as in a crash. */
  async kill() {
    await this.child?.kill();
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  /** The last lines of the log, indented, for an error message. */
  logTail(lines = 15) {
    try {
      const text = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines);
      return [`  last lines of ${this.logFile}:`, ...text.map((line) => `  | ${line}`)].join('\n');
    } catch {
      return '';
    }
  }
}
