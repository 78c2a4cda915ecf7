/** Collects the conditions of a WHERE clause with their parameters. An undefined value adds none. */
export class Conditions {
  readonly params: unknown[] = [];
  private readonly clauses: string[] = [];

  /** @param clause SQL with one `?` for each value; left out when the first value is undefined */
  add(clause: string, ...values: readonly unknown[]): this {
    if (values[0] === undefined) return this;
    let next = 0;
    this.clauses.push(clause.replaceAll('?', () => this.param(values[next++])));
    return this;
  }

  /** @returns the placeholder of a further parameter, such as `$3` */
  param(value: unknown): string {
    this.params.push(value);
    return `$${this.params.length}`;
  }

  /** The clauses joined by AND; `true` when there are none. */
  get sql(): string {
    return this.clauses.length === 0 ? 'true' : this.clauses.join(' AND ');
  }
}
