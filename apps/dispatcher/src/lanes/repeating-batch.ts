import { Logger } from '@nestjs/common';
import { FencedError } from '#common/postgres/lane-store.js';
import { persistBatch, SetAside } from '#common/postgres/persist-batch.js';

interface Waiting<In, Out> {
  readonly input: In;
  readonly resolve: (output: Out | SetAside) => void;
}

export interface RepeatingBatchOptions<In, Out> {
  readonly name: string;
  readonly maxItems: number;
  /** At most this many bytes in a statement with more than one item. */
  readonly bytes?: { readonly most: number; readonly of: (input: In) => number };
  /** @returns one output for each input, in order */
  readonly run: (inputs: readonly In[]) => Promise<readonly Out[]>;
  /** Runs the statement for one input and keeps nothing of it. */
  readonly rehearse: (input: In) => Promise<unknown>;
  /** A valid input, rehearsed when no other input is queued. */
  readonly sample: In;
  /** The lane of an input, for logs. */
  readonly laneOf: (input: In) => string;
  /** Called once when another owner has taken over; nothing resolves afterwards. */
  readonly onFenced: () => void;
  readonly ended: AbortSignal;
}

/**
 * Gathers inputs that arrive during a statement into the next one. A statement that PostgreSQL cannot run now, or whose result
 * is unknown, is repeated unchanged before anything else (docs/lane-protocol.md, rule 8), until the log is lost. An input at
 * fault is set aside, and the others are stored.
 */
export class RepeatingBatch<In, Out> {
  private readonly logger = new Logger(RepeatingBatch.name);
  private waiting: Waiting<In, Out>[] = [];
  private isRunning = false;
  private isFenced = false;

  constructor(private readonly options: RepeatingBatchOptions<In, Out>) {}

  /**
   * Never rejects; does not resolve when the log is lost.
   *
   * @returns `SetAside` when PostgreSQL does not take this input
   */
  add(input: In): Promise<Out | SetAside> {
    return new Promise((resolve) => {
      this.waiting.push({ input, resolve });
      if (!this.isRunning) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.isRunning = true;
    // One turn of the event loop: the inputs of one batch of records share a statement.
    await new Promise(setImmediate);
    while (this.waiting.length > 0 && !this.options.ended.aborted) {
      const batch = this.waiting.splice(0, this.nextBatchSize());
      const outputs = await this.runUntilDone(batch.map(({ input }) => input));
      if (outputs === undefined) return;
      batch.forEach(({ resolve }, index) => {
        resolve(outputs[index] as Out | SetAside);
      });
    }
    this.isRunning = false;
  }

  /** How many of the waiting inputs share the next statement: at least one. */
  private nextBatchSize(): number {
    const { maxItems, bytes } = this.options;
    if (bytes === undefined) return maxItems;
    let sum = 0;
    const beyond = this.waiting.slice(0, maxItems).findIndex(({ input }) => {
      sum += bytes.of(input);
      return sum > bytes.most;
    });
    return beyond === -1 ? maxItems : Math.max(1, beyond);
  }

  private async runUntilDone(inputs: readonly In[]): Promise<readonly (Out | SetAside)[] | undefined> {
    const { name, run, rehearse, sample, laneOf, ended } = this.options;
    const outputs = await persistBatch(inputs, {
      name: `lane_${name}`,
      run: (some) => run(some).catch((error: unknown) => this.rethrow(error)),
      rehearse,
      neighbours: () => [...this.waiting.map(({ input }) => input), sample],
      isEnded: () => this.isFenced || ended.aborted,
      onWait: (error, items) => this.logger.warn({ err: error, statement: name, items }, 'lanes.statement_failed'),
      describe: (input) => ({ lane: laneOf(input) }),
    });
    return this.isFenced || ended.aborted ? undefined : outputs;
  }

  private rethrow(error: unknown): never {
    if (error instanceof FencedError && !this.isFenced) {
      this.isFenced = true;
      this.options.onFenced();
    }
    throw error;
  }
}
