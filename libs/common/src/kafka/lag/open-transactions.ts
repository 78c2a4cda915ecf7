import type { LogOffsets } from './offsets-reader.js';

/** Finds partitions whose records wait for an open transaction, and how long each has been seen to wait. */
export class OpenTransactions {
  /** By partition: its last stable offset, and when it was first seen there with records behind it. */
  private readonly held = new Map<
    string,
    { readonly stable: number; readonly since: number; readonly records: number }
  >();

  /** @param nowMs monotonic @param logs with names as operators know them */
  look(nowMs: number, logs: readonly (LogOffsets & { readonly name: string })[]): void {
    const before = new Map(this.held);
    this.held.clear();
    for (const { name, stable, end, outage } of logs) {
      if (outage !== undefined || end <= stable) continue;
      const known = before.get(name);
      const since = known?.stable === stable ? known.since : nowMs;
      this.held.set(name, { stable, since, records: end - stable });
    }
  }

  /** @returns partitions that have waited for at least `leastMs`, for operators; undefined when there is none */
  report(nowMs: number, leastMs: number): string | undefined {
    const texts = [...this.held]
      .filter(([, { since }]) => nowMs - since >= leastMs)
      .map(([name, { since, records }]) => {
        const seconds = Math.round((nowMs - since) / 1_000);
        return `an open transaction has held ${records} records of ${name} for ${seconds} s`;
      });
    return texts.length === 0 ? undefined : texts.join('; ');
  }
}
