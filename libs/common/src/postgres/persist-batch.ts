import { Logger } from '@nestjs/common';
import { Backoff } from '../timing/backoff.js';
import { delay } from '../timing/timing.js';
import { classifyError, type ErrorMeaning } from './errors.js';
import { rowsSetAside } from './metrics.js';

/** The next step after a failed statement. */
export type NextStep = 'wait' | 'split' | 'set_aside' | 'compare';

/** Number of times that a row must fail alone while another row then succeeds. At its next failure the row is set aside. */
export const COMPARISONS = 3;

/**
 * The next step after a failed statement. Deterministic and free of I/O.
 *
 * @param items number of items of the statement
 * @param comparisons number of times that another row succeeded after this one had failed alone
 */
export function nextStep(meaning: ErrorMeaning, items: number, comparisons: number): NextStep {
  if (meaning.kind === 'wait') return 'wait';
  if (items > 1) return 'split';
  if (meaning.kind === 'row') return 'set_aside';
  return comparisons >= COMPARISONS ? 'set_aside' : 'compare';
}

/** An item that PostgreSQL does not store, with its error. The caller keeps it elsewhere: a dead letter, or its topic. */
export class SetAside {
  constructor(
    readonly error: unknown,
    readonly why: 'row' | 'unknown',
  ) {}
}

export interface BatchStatement<In, Out> {
  /** Name of the statement in log lines and metrics. */
  readonly name: string;
  /** Stores all items, or none, and may be repeated. @returns one output for each item, in order */
  readonly run: (items: readonly In[]) => Promise<readonly Out[]>;
  /** Stores an item and rolls back. Its success shows that PostgreSQL can store rows now. */
  readonly rehearse: (item: In) => Promise<unknown>;
  /** Further items to compare with: those queued behind the batch. */
  readonly neighbours?: () => readonly In[];
  /** The caller no longer needs the outcome. Checked after each failure and each wait. */
  readonly isEnded: () => boolean;
  /** Called after a failed statement, before each pause. */
  readonly onWait: (error: unknown, items: number) => void;
  /** Names an item in logs. */
  readonly describe: (item: In) => object;
  readonly sleep?: (ms: number) => Promise<void>;
}

/**
 * Stores a batch in order, whatever it contains and however long PostgreSQL is away. After a failure of the server, the
 * network or the schema, it repeats the statement with a backoff. If a row's values cause the failure, it halves the batch until that row is
 * alone. For b such rows among n, that takes at most 2 · b · ⌈log2 n⌉ additional statements.
 *
 * @returns an output or a `SetAside` for each item; undefined if `isEnded` became true first. Some items may be stored then
 */
export async function persistBatch<In, Out>(
  items: readonly In[],
  statement: BatchStatement<In, Out>,
): Promise<readonly (Out | SetAside)[] | undefined> {
  try {
    return await statement.run(items);
  } catch (error) {
    return new BatchRun(items, statement).resume(error);
  }
}

/** A batch whose statement failed. */
class BatchRun<In, Out> {
  private readonly logger = new Logger('persistBatch');
  private readonly results: (Out | SetAside)[] = [];
  /** Parts still to be stored, the next one last. */
  private readonly parts: (readonly In[])[] = [];
  private readonly backoff = new Backoff();
  /** Successful comparisons of the row that fails alone. */
  private comparisons = 0;
  private compared = 0;

  constructor(
    private readonly items: readonly In[],
    private readonly statement: BatchStatement<In, Out>,
  ) {}

  async resume(error: unknown): Promise<readonly (Out | SetAside)[] | undefined> {
    if (this.statement.isEnded() || !(await this.failed(this.items, error))) return undefined;
    for (let part = this.parts.pop(); part !== undefined; part = this.parts.pop()) {
      if (!(await this.store(part))) return undefined;
    }
    return this.results;
  }

  /** @returns false when ended */
  private async store(part: readonly In[]): Promise<boolean> {
    let outputs: readonly Out[];
    try {
      outputs = await this.statement.run(part);
    } catch (error) {
      return !this.statement.isEnded() && (await this.failed(part, error));
    }
    this.backoff.reset();
    this.comparisons = 0;
    for (const output of outputs) this.results.push(output);
    return true;
  }

  /** @returns false when ended */
  private async failed(part: readonly In[], error: unknown): Promise<boolean> {
    const meaning = classifyError(error);
    switch (nextStep(meaning, part.length, this.comparisons)) {
      case 'wait':
        this.parts.push(part);
        return this.wait(error, part.length);
      case 'split': {
        const half = Math.ceil(part.length / 2);
        this.parts.push(part.slice(half), part.slice(0, half));
        return true;
      }
      case 'set_aside':
        this.setAside(part, error, meaning.kind === 'row' ? 'row' : 'unknown');
        return true;
      case 'compare':
        this.parts.push(part);
        if (!(await this.wait(error, part.length))) return false;
        if (await this.doesNeighbourSucceed(part)) this.comparisons++;
        return true;
    }
  }

  private async wait(error: unknown, items: number): Promise<boolean> {
    const { onWait, sleep = delay, isEnded } = this.statement;
    onWait(error, items);
    await sleep(this.backoff.next());
    return !isEnded();
  }

  /** Takes another neighbour each time: a neighbour may be at fault itself. */
  private async doesNeighbourSucceed(part: readonly In[]): Promise<boolean> {
    const { neighbours, rehearse } = this.statement;
    const others = [...this.items.filter((item) => !part.includes(item)), ...(neighbours?.() ?? [])];
    const other = others[this.compared++ % others.length];
    if (other === undefined) return false;
    return rehearse(other).then(
      () => true,
      () => false,
    );
  }

  private setAside([item]: readonly In[], error: unknown, why: SetAside['why']): void {
    this.comparisons = 0;
    this.results.push(new SetAside(error, why));
    const { name, describe } = this.statement;
    rowsSetAside.inc({ statement: name, why });
    const fields = { err: error, statement: name, why, ...(item === undefined ? {} : describe(item)) };
    if (why === 'unknown') this.logger.error(fields, 'postgres.row_set_aside');
    else this.logger.warn(fields, 'postgres.row_set_aside');
  }
}
