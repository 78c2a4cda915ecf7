import { rmSync } from 'node:fs';
import { ProcessFile, SUPERVISOR, writeAtomically } from './process-file.mjs';

/** Writes the files that describe this run. */
export class RunRecord {
  /** @type {import('./run-file.mjs').RunFile | undefined} */
  #run;
  /** @type {Record<string, number>} */
  #pids = { [SUPERVISOR]: process.pid };

  /** @param {import('./settings.mjs').Settings} settings */
  constructor({ paths }) {
    this.paths = paths;
    this.processes = new ProcessFile(paths.processes);
  }

  /**
   * @param {Record<string, number>} pids by name
   * @param {Record<string, import('./process-file.mjs').Stopping>} [stopping] by name
   */
  update(pids, stopping) {
    this.#pids = { [SUPERVISOR]: process.pid, ...pids };
    this.processes.write(this.#pids, stopping);
    if (this.#run) this.publish(this.#run);
  }

  /** @param {import('./run-file.mjs').RunAddresses} run */
  publish(run) {
    this.#run = { ...run, pids: this.#pids };
    writeAtomically(this.paths.run, this.#run);
  }

  remove() {
    rmSync(this.paths.run, { force: true });
    this.processes.remove();
  }
}
