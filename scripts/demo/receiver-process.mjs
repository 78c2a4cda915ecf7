import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';

/**
 * The receiver, in a process of its own, so that what it does never delays what publishes. Emits `arrival` (an Arrival),
 * `forged` (what was wrong with a signature) and `ended`.
 */
export class ReceiverProcess extends EventEmitter {
  constructor() {
    super();
    this.child = fork(new URL('receiver.mjs', import.meta.url));
    this.child.on('message', (/** @type {Record<string, unknown>} */ told) => {
      for (const [name, value] of Object.entries(told)) this.emit(name, value);
    });
    this.child.once('exit', () => this.emit('ended'));
  }

  /** @returns {Promise<string>} where it listens */
  async listening() {
    const [port] = await once(this, 'listening', { signal: AbortSignal.timeout(10_000) });
    return `http://127.0.0.1:${port}`;
  }

  /**
   * Resolves when signatures can be checked.
   *
   * @param {Record<string, string>} secrets by endpoint
   */
  async useSecrets(secrets) {
    const ready = once(this, 'ready', { signal: AbortSignal.timeout(10_000) });
    this.child.send({ secrets });
    await ready;
  }

  stop() {
    if (this.child.connected) this.child.disconnect();
  }
}
