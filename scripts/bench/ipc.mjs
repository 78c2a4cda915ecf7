import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A helper process of a benchmark, and the messages it sends. It ends when the connection does. */
export class Ipc {
  /**
   * @param {URL} script
   * @param {string[]} [args]
   */
  constructor(script, args = []) {
    this.child = fork(fileURLToPath(script), args);
    this.child.once('exit', (code) => {
      if (code) this.child.emit('error', new Error(`${script.pathname} ended with exit code ${code}`));
    });
  }

  /** @returns {Promise<any>} its next message */
  async next() {
    const [message] = await once(this.child, 'message');
    return message;
  }

  /**
   * @param {import('node:child_process').Serializable} question
   * @returns {Promise<any>} the message it answers with
   */
  ask(question) {
    const answer = this.next();
    this.child.send(question);
    return answer;
  }

  close() {
    if (this.child.connected) this.child.disconnect();
  }
}
