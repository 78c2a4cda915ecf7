/** Callers that wait until a table has read a log up to an end. */
export class CatchUps {
  private readonly waiting = new Set<{
    readonly ends: Map<number, number>;
    readonly done: PromiseWithResolvers<void>;
  }>();

  /** @param ends by partition: the end to reach, for partitions that are behind it */
  add(ends: ReadonlyMap<number, number>): Promise<void> {
    if (ends.size === 0) return Promise.resolve();
    const done = Promise.withResolvers<void>();
    this.waiting.add({ ends: new Map(ends), done });
    return done.promise;
  }

  /** @param end of what was read of the partition */
  noteRead(partition: number, end: number): void {
    for (const awaited of this.waiting) {
      if (end >= (awaited.ends.get(partition) ?? Number.POSITIVE_INFINITY)) awaited.ends.delete(partition);
      if (awaited.ends.size > 0) continue;
      this.waiting.delete(awaited);
      awaited.done.resolve();
    }
  }

  /** The log is read again from its first record: the ends were those of another log. */
  reject(error: Error): void {
    for (const { done } of this.waiting) done.reject(error);
    this.waiting.clear();
  }
}
