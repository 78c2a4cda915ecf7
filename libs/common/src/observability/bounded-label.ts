/** Label value of everything beyond the bound. */
export const OTHER = 'other';

/** Keeps a label's cardinality bounded: the first values seen keep their name, all later ones share {@link OTHER}. */
export class BoundedLabel {
  private readonly known = new Set<string>();

  constructor(private readonly limit: number) {}

  of(value: string): string {
    if (this.known.has(value)) return value;
    if (this.known.size >= this.limit) return OTHER;
    this.known.add(value);
    return value;
  }
}
