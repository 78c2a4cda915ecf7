import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Server } from './server.mjs';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** A service that ran for this long has recovered: its next restart waits the first delay. */
const STABLE_MS = 60_000;
/** Tries of a start: after a kill, the system may need a moment to release ports. */
const START_TRIES = 3;

/** @typedef {import('./process-file.mjs').Stopping} Stopping */

/** Starts services, restarts those that end unexpectedly, and stops all of them, stage by stage. */
export class Supervisor {
  /** @type {{ stage: number, server: Server }[]} */
  #members = [];
  #stopping = new AbortController();

  /**
   * @param {object} options
   * @param {string} options.logs
   * @param {(text: string) => void} options.say
   * @param {(pids: Record<string, number>, stopping: Record<string, Stopping>) => void} options.onPids called whenever
   * a
   *   process was started, with all that run and how to stop them
   */
  constructor({ logs, say, onPids }) {
    this.logs = logs;
    this.say = say;
    this.onPids = onPids;
  }

  /**
   * Starts services in parallel and waits until all are ready.
   *
   * @param {number} stage services of the highest stage stop first
   * @param {import('./server.mjs').Service[]} services
   * @throws Error when a service is not ready after several tries
   */
  async start(stage, services) {
    const servers = services.map((service) => new Server(service, join(this.logs, `${service.name}.log`)));
    this.#members.push(...servers.map((server) => ({ stage, server })));
    await Promise.all(servers.map((server) => this.#startFirst(server)));
  }

  get hasServices() {
    return this.#members.length > 0;
  }

  /** Stops all services, also those that are starting. */
  async stop() {
    this.#stopping.abort();
    const stages = [...new Set(this.#members.map(({ stage }) => stage))].sort((a, b) => b - a);
    for (const current of stages) {
      await Promise.all(this.#members.map(({ stage, server }) => (stage === current ? server.stop() : undefined)));
    }
  }

  /** Kills all services at once. */
  kill() {
    this.#stopping.abort();
    for (const { server } of this.#members) void server.kill();
  }

  /** @returns {Record<string, number>} pids of running services, by name */
  pids() {
    const running = this.#members.filter(({ server }) => server.isAlive);
    return Object.fromEntries(running.map(({ server }) => [server.name, Number(server.pid)]));
  }

  /** @returns {Record<string, Stopping>} ways to stop, by name of the service */
  #howToStop() {
    return Object.fromEntries(
      this.#members.map(({ stage, server: { name, service } }) => {
        const { stopSignal, graceMs } = service;
        return [name, { stage, stopSignal, graceMs }];
      }),
    );
  }

  /** @param {Server} server */
  async #startFirst(server) {
    for (let tries = 1; ; tries++) {
      try {
        await this.#run(server);
        void this.#watch(server);
        return;
      } catch (error) {
        await server.kill();
        this.#stopping.signal.throwIfAborted();
        if (tries === START_TRIES) throw error;
        await delay(FIRST_DELAY_MS, undefined, { signal: this.#stopping.signal });
      }
    }
  }

  /** @param {Server} server */
  async #run(server) {
    this.#stopping.signal.throwIfAborted();
    await server.start(() => {
      // A stop during `prepare` finds no process to stop.
      if (this.#stopping.signal.aborted) void server.kill();
      else this.onPids(this.pids(), this.#howToStop());
    });
  }

  /** @param {Server} server */
  async #watch(server) {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      const since = Date.now();
      const how = await server.child?.ended;
      if (this.#stopping.signal.aborted) return;
      if (Date.now() - since > STABLE_MS) delayMs = FIRST_DELAY_MS;
      this.say(`${server.name} ended (${how}); it starts again in ${delayMs / 1_000} s`);
      delayMs = await this.#restart(server, delayMs);
    }
  }

  /**
   * @param {Server} server
   * @param {number} delayMs
   * @returns {Promise<number>} delay of the next restart
   */
  async #restart(server, delayMs) {
    const nextDelayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS);
    try {
      await delay(delayMs, undefined, { signal: this.#stopping.signal });
      await this.#run(server);
      this.say(`${server.name} is back (process ${server.pid})`);
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        await server.kill();
        this.say(`${server.name} did not start: ${error instanceof Error ? error.message : error}`);
      }
    }
    return nextDelayMs;
  }
}
