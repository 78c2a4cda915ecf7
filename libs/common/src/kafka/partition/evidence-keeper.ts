import type { LogEvidence } from '../../domain/commit-metadata.js';

/** One per fetch; a watermark that stands still for longer than these keeps older evidence. */
const MAX_KEPT = 1_000;

/** Keeps the last record of each fetch until the watermark passes it: evidence of which log was read, where no id says so. */
export class EvidenceKeeper {
  private readonly ahead: LogEvidence[] = [];

  /** @param passed evidence below the watermark */
  constructor(private passed: LogEvidence | undefined) {}

  add(offset: number, timestamp: number): void {
    if (this.ahead.length < MAX_KEPT) this.ahead.push({ offset, timestamp });
  }

  /** The latest evidence below the watermark. */
  below(watermark: number): LogEvidence | undefined {
    const above = this.ahead.findIndex(({ offset }) => offset >= watermark);
    const count = above < 0 ? this.ahead.length : above;
    this.passed = this.ahead.splice(0, count).at(-1) ?? this.passed;
    return this.passed;
  }
}
