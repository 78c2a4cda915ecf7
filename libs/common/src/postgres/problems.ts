import { classifyError, describeProblem, type WaitReason } from './errors.js';

/** A statement that goes on failing is repeated sooner than this; one that is not repeated says nothing about now. */
const STATEMENT_PROBLEM_MS = 15_000;
const MAX_STATEMENTS = 100;

/** Other statements may succeed all the same, so their success does not end such a problem. */
const OF_ONE_STATEMENT: ReadonlySet<WaitReason | 'unknown'> = new Set([
  'schema_mismatch',
  'no_rights',
  'read_only',
  'disk_full',
  'io_error',
  'partition_missing',
  'unknown',
]);

/**
 * Problems of PostgreSQL, for readiness. A problem of the server ends with the next statement that
 * succeeds; one of a single statement ends when that statement succeeds, or is not repeated for 15 s.
 */
export class Problems {
  private ofServer: string | undefined = 'no query yet';
  private readonly ofStatements = new Map<string, { readonly text: string; readonly at: number }>();

  /** @param nowMs a clock that never goes back */
  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** @param statement its name, or its text */
  succeeded(statement: string): void {
    this.ofServer = undefined;
    if (this.ofStatements.size > 0) this.ofStatements.delete(statement);
  }

  /** An error that is a row's own fault is no problem of the database. */
  failed(statement: string, error: unknown): void {
    const meaning = classifyError(error);
    if (meaning.kind === 'row') return;
    const reason = meaning.kind === 'wait' ? meaning.reason : 'unknown';
    const text = describeProblem(error);
    if (!OF_ONE_STATEMENT.has(reason)) {
      this.ofServer = text;
      return;
    }
    this.ofStatements.delete(statement);
    if (this.ofStatements.size >= MAX_STATEMENTS) this.ofStatements.clear();
    this.ofStatements.set(statement, { text, at: this.nowMs() });
  }

  /** @returns undefined when all is well */
  get current(): string | undefined {
    if (this.ofServer !== undefined || this.ofStatements.size === 0) return this.ofServer;
    const oldest = this.nowMs() - STATEMENT_PROBLEM_MS;
    for (const [statement, { at }] of this.ofStatements) if (at < oldest) this.ofStatements.delete(statement);
    return [...this.ofStatements.values()].at(-1)?.text;
  }
}
