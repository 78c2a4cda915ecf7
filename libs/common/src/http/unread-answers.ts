/** A request whose result is known while its answer is still being read. */
interface Reading {
  abort(): void;
}

/**
 * Answers that are read on although their results are known: a short rest saves the connection. An endpoint that never ends its
 * answers would keep a connection for each until the deadline, so their number is bounded. Beyond it the oldest one ends, and
 * its connection is closed.
 */
export class UnreadAnswers {
  private readonly reading = new Set<Reading>();

  constructor(private readonly limit: number) {}

  add(reading: Reading): void {
    this.reading.add(reading);
    if (this.reading.size <= this.limit) return;
    const [oldest] = this.reading;
    oldest?.abort();
  }

  delete(reading: Reading): void {
    if (this.reading.size > 0) this.reading.delete(reading);
  }
}
