import { compact } from '#common/collections/compact.js';
import { Numbers } from './numbers.js';

/**
 * The patterns that any endpoint has, as numbers. Equal patterns of all endpoints and tenants are one.
 *
 * A wildcard is kept by the start that it asks of a type: `a.b.*` by `a.b.`, `*` by the empty text. So a lookup tries the
 * starts of a type that end with a dot, as a walk through a trie of names would. A trie would take an object and a map for each
 * name of a pattern: 100 times the bytes of a pattern of 128 names.
 */
export class Patterns {
  private readonly numbers = new Numbers();
  private readonly texts: (string | undefined)[] = [];
  private readonly exact = new Map<string, number>();
  private readonly starts = new Map<string, number>();
  /** By dots: how many starts have that many. A lookup leaves the other lengths out. */
  private readonly startsByDots: number[] = [];

  get size(): number {
    return this.numbers.inUse;
  }

  /** @returns the pattern's number; a new one for a new pattern */
  numberOf(pattern: string): number {
    const start = startOf(pattern);
    const known = start === undefined ? this.exact.get(pattern) : this.starts.get(start);
    return known ?? this.add(pattern, start);
  }

  /** No endpoint has the pattern. */
  drop(number: number): void {
    const pattern = this.textOf(number);
    const start = startOf(pattern);
    this.texts[number] = undefined;
    this.numbers.give(number);
    if (start === undefined) {
      this.exact.delete(pattern);
      return;
    }
    this.starts.delete(start);
    this.countStart(start, -1);
  }

  textOf(number: number): string {
    return this.texts[number] ?? '';
  }

  /** @returns the patterns that take this type, by `subscriptionMatches` */
  taking(type: string): number[] {
    const found = this.takingByName(type);
    const all = this.starts.get('');
    if (all !== undefined) found.push(all);
    return found;
  }

  /** @returns the patterns that take this type of an operational event, by `operationalSubscriptionMatches` */
  takingByName(type: string): number[] {
    const found: number[] = [];
    let dots = 1;
    for (let dot = type.indexOf('.'); dot >= 0 && dots < this.startsByDots.length; dot = type.indexOf('.', dot + 1)) {
      const number = this.startsByDots[dots] === 0 ? undefined : this.starts.get(type.slice(0, dot + 1));
      if (number !== undefined) found.push(number);
      dots++;
    }
    const exact = this.exact.get(type);
    if (exact !== undefined) found.push(exact);
    return found;
  }

  private add(pattern: string, start: string | undefined): number {
    const number = this.numbers.take();
    this.texts[number] = pattern;
    if (start === undefined) this.exact.set(pattern, number);
    else {
      this.starts.set(start, number);
      this.countStart(start, 1);
    }
    return number;
  }

  private countStart(start: string, change: 1 | -1): void {
    const dots = start.split('.').length - 1;
    while (this.startsByDots.length <= dots) this.startsByDots.push(0);
    this.startsByDots[dots] = (this.startsByDots[dots] ?? 0) + change;
    while (this.startsByDots.at(-1) === 0) this.startsByDots.pop();
  }
}

/** @returns the start of the types that a wildcard takes; undefined for an exact type */
function startOf(pattern: string): string | undefined {
  return pattern === '*' || pattern.endsWith('.*') ? compact(pattern.slice(0, -1)) : undefined;
}
