const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Interval of progress lines for a long step, without a terminal. */
const REMINDER_MS = 10_000;

/** Shows the steps of a long run: an animated line in a terminal, plain lines elsewhere. */
export class Progress {
  /** @type {{ title: string, note: string, since: number } | undefined} */
  current;

  /** @param {{ isTTY?: boolean, write(text: string): unknown }} out */
  constructor(out) {
    this.out = out;
    this.isTerminal = Boolean(out.isTTY);
  }

  /**
   * @template T
   * @param {string} title
   * @param {(note: (text: string) => void) => Promise<T>} work its last note stays behind the title
   * @returns {Promise<T>}
   */
  async step(title, work) {
    const step = { title, note: '', since: Date.now() };
    this.current = step;
    if (!this.isTerminal) this.out.write(`… ${title}\n`);
    const timer = setInterval(() => this.#tick(step), this.isTerminal ? 100 : REMINDER_MS);
    try {
      const result = await work((text) => {
        step.note = text;
      });
      this.#finish('✔', step);
      return result;
    } catch (error) {
      this.#finish('✖', step);
      throw error;
    } finally {
      clearInterval(timer);
      this.current = undefined;
    }
  }

  /** @param {string} text whole lines, printed above the current step */
  say(text) {
    this.#clear();
    this.out.write(`${text}\n`);
  }

  /** @param {{ title: string, note: string, since: number }} step */
  #tick(step) {
    if (!this.isTerminal) {
      this.out.write(`  still ${describe(step)}\n`);
      return;
    }
    const frame = FRAMES[Math.floor(Date.now() / 100) % FRAMES.length];
    this.#clear();
    this.out.write(`${frame} ${describe(step)}`.slice(0, 100));
  }

  /**
   * @param {string} mark
   * @param {{ title: string, note: string, since: number }} step
   */
  #finish(mark, step) {
    this.#clear();
    this.out.write(`${mark} ${describe(step)}\n`);
  }

  #clear() {
    if (this.isTerminal && this.current) this.out.write('\r\x1b[2K');
  }
}

/** @param {{ title: string, note: string, since: number }} step */
function describe({ title, note, since }) {
  const seconds = ((Date.now() - since) / 1_000).toFixed(1);
  return `${title}${note ? `: ${note}` : ''} (${seconds} s)`;
}
