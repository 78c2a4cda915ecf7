interface Entry<Value> {
  readonly value: Value;
  readonly weight: number;
}

interface Segment<Value> {
  readonly entries: Map<string, Entry<Value>>;
  weight: number;
}

/** Full segments within the limit. */
const SEGMENTS = 8;

/**
 * Values by key, those used last, up to a weight in all. A value that weighs more than an eighth of the limit is not kept.
 *
 * The values lie in segments by their last use. A full newest segment is followed by an empty one; beyond the limit, the values of
 * the oldest segment are evicted. A value that is found in an older segment moves to the newest one. So the values used last
 * stay, up to seven eighths of the limit less one value. A hit in the newest segment changes no table: tables that change
 * all the time keep garbage alive (see bag.ts).
 */
export class WeightedRecentMap<Value> {
  /** Newest first, at most twice {@link SEGMENTS}. */
  private segments: Segment<Value>[] = [emptySegment()];
  private totalWeight = 0;

  /** @param maxWeight of all values together, in the unit of `set` */
  constructor(private readonly maxWeight: number) {}

  get size(): number {
    return this.segments.reduce((sum, { entries }) => sum + entries.size, 0);
  }

  get weight(): number {
    return this.totalWeight;
  }

  get(key: string): Value | undefined {
    const [newest] = this.segments;
    for (const segment of this.segments) {
      const found = segment.entries.get(key);
      if (found === undefined) continue;
      if (segment !== newest) {
        this.remove(key, found, segment);
        this.add(key, found);
      }
      return found.value;
    }
    return undefined;
  }

  /** @param weight at least 0 */
  set(key: string, value: Value, weight: number): void {
    this.delete(key);
    this.add(key, { value, weight });
  }

  delete(key: string): void {
    for (const segment of this.segments) {
      const found = segment.entries.get(key);
      if (found !== undefined) this.remove(key, found, segment);
    }
  }

  private get segmentWeight(): number {
    return this.maxWeight / SEGMENTS;
  }

  private remove(key: string, { weight }: Entry<Value>, segment: Segment<Value>): void {
    segment.entries.delete(key);
    segment.weight -= weight;
    this.totalWeight -= weight;
  }

  private add(key: string, entry: Entry<Value>): void {
    if (entry.weight > this.segmentWeight) return;
    let [newest] = this.segments;
    if (newest === undefined || newest.weight + entry.weight > this.segmentWeight) {
      newest = emptySegment<Value>();
      this.segments.unshift(newest);
      if (this.segments.length > 2 * SEGMENTS) this.segments = mergedOnce(this.segments);
    }
    newest.entries.set(key, entry);
    newest.weight += entry.weight;
    this.totalWeight += entry.weight;
    while (this.totalWeight > this.maxWeight) this.totalWeight -= this.segments.pop()?.weight ?? 0;
  }
}

function emptySegment<Value>(): Segment<Value> {
  return { entries: new Map(), weight: 0 };
}

/**
 * Merges the two neighbours that weigh least, the newest segment excluded. Values have left segments when they were used again. Of
 * as many segments two neighbours weigh at most as much as one full segment.
 */
function mergedOnce<Value>(segments: readonly Segment<Value>[]): Segment<Value>[] {
  let at = 1;
  const pairWeight = (index: number) => (segments[index]?.weight ?? 0) + (segments[index + 1]?.weight ?? 0);
  for (let index = 2; index + 1 < segments.length; index++) if (pairWeight(index) < pairWeight(at)) at = index;
  const pair = segments.slice(at, at + 2);
  const entries = new Map(pair.flatMap((segment) => [...segment.entries]));
  return [...segments.slice(0, at), { entries, weight: pairWeight(at) }, ...segments.slice(at + 2)];
}
