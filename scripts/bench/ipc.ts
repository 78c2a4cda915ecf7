import { type ChildProcess, fork, type Serializable } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A child process of a benchmark, and the messages it sends. The child exits when the IPC channel closes. */
export class Ipc {
  private readonly child: ChildProcess;

  constructor(script: URL, args: string[] = []) {
    this.child = fork(fileURLToPath(script), args);
    this.child.once('exit', (code) => {
      if (code) this.child.emit('error', new Error(`${script.pathname} ended with exit code ${code}`));
    });
  }

  /** @returns the child's next message */
  async next<Message>(): Promise<Message> {
    const [message] = await once(this.child, 'message');
    return message;
  }

  /** @returns the child's reply */
  ask<Answer>(question: Serializable): Promise<Answer> {
    const answer = this.next<Answer>();
    this.child.send(question);
    return answer;
  }

  close() {
    if (this.child.connected) this.child.disconnect();
  }
}
