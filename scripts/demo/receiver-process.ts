import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';

/**
 * The receiver in its own process, so that its work does not delay the publisher. Emits `arrival` (an Arrival),
 * `forged` (the error of a wrong signature) and `ended`.
 */
export class ReceiverProcess extends EventEmitter {
  private readonly child: ChildProcess;

  constructor() {
    super();
    this.child = fork(new URL('receiver.ts', import.meta.url));
    this.child.on('message', (message: Record<string, unknown>) => {
      for (const [name, value] of Object.entries(message)) this.emit(name, value);
    });
    this.child.once('exit', () => this.emit('ended'));
  }

  /** @returns URL of the receiver */
  async listening(): Promise<string> {
    const [port] = await once(this, 'listening', { signal: AbortSignal.timeout(10_000) });
    return `http://127.0.0.1:${port}`;
  }

  /**
   * Passes the secrets. Resolves when the receiver can check signatures.
   *
   * @param secrets by endpoint
   */
  async useSecrets(secrets: Record<string, string>) {
    const ready = once(this, 'ready', { signal: AbortSignal.timeout(10_000) });
    this.child.send({ secrets });
    await ready;
  }

  stop() {
    if (this.child.connected) this.child.disconnect();
  }
}
