import { Logger } from '@nestjs/common';
import { FencedError } from '#common/postgres/lane-store.js';

interface Waiting<In, Out> {
  readonly input: In;
  readonly resolve: (output: Out) => void;
}

export interface RepeatingBatchOptions<In, Out> {
  readonly name: string;
  readonly maxItems: number;
  /** Most bytes of a statement that has more than one item. */
  readonly bytes?: { readonly most: number; readonly of: (input: In) => number };
  /** @returns one output for each input, in order */
  readonly run: (inputs: readonly In[]) => Promise<readonly Out[]>;
  /** Called once when another owner has taken over; nothing resolves afterwards. */
  readonly onFenced: () => void;
  readonly ended: AbortSignal;
}

const MIN_WAIT_MS = 100;
const MAX_WAIT_MS = 2_000;

/**
 * Gathers what is asked while a statement is under way into the next one. A statement that fails, or whose outcome is
 * unknown, is repeated as it was before anything else is done (lanes.md, rule 8), for as long as the log is owned.
 */
export class RepeatingBatch<In, Out> {
  private readonly logger = new Logger(RepeatingBatch.name);
  private waiting: Waiting<In, Out>[] = [];
  private isRunning = false;

  constructor(private readonly options: RepeatingBatchOptions<In, Out>) {}

  /** Never rejects; does not resolve when the log is lost. */
  add(input: In): Promise<Out> {
    return new Promise((resolve) => {
      this.waiting.push({ input, resolve });
      if (!this.isRunning) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.isRunning = true;
    // One turn of the event loop: what one batch of records asks for shares a statement.
    await new Promise(setImmediate);
    while (this.waiting.length > 0 && !this.options.ended.aborted) {
      const batch = this.waiting.splice(0, this.fitting());
      const outputs = await this.runUntilDone(batch.map(({ input }) => input));
      if (outputs === undefined) return;
      batch.forEach(({ resolve }, index) => {
        resolve(outputs[index] as Out);
      });
    }
    this.isRunning = false;
  }

  /** How many of those waiting are for the next statement: at least one. */
  private fitting(): number {
    const { maxItems, bytes } = this.options;
    if (bytes === undefined) return maxItems;
    let sum = 0;
    const beyond = this.waiting.slice(0, maxItems).findIndex(({ input }) => {
      sum += bytes.of(input);
      return sum > bytes.most;
    });
    return beyond === -1 ? maxItems : Math.max(1, beyond);
  }

  private async runUntilDone(inputs: readonly In[]): Promise<readonly Out[] | undefined> {
    for (let waitMs = MIN_WAIT_MS; !this.options.ended.aborted; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
      try {
        const outputs = await this.options.run(inputs);
        return this.options.ended.aborted ? undefined : outputs;
      } catch (error) {
        if (error instanceof FencedError) {
          this.options.onFenced();
          return undefined;
        }
        this.logger.warn({ err: error, statement: this.options.name, items: inputs.length }, 'lanes.statement_failed');
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
    return undefined;
  }
}
