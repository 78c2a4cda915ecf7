import type { Admin } from 'kafkajs';
import type { KafkaSettings } from '../../port/settings.js';
import type { LogBounds, LogBoundsReader } from '../../port/topics.js';
import { createKafka } from '../connection/client.js';

/** Connects for the time of `work`. @throws when no broker answers */
export async function withLogBounds<T>(
  settings: KafkaSettings,
  work: (bounds: LogBoundsReader) => Promise<T>,
): Promise<T> {
  const admin = createKafka(settings).admin({ retry: { retries: 2 } });
  await admin.connect();
  try {
    return await work(new AdminBoundsReader(admin, settings.prefix));
  } finally {
    await admin.disconnect();
  }
}

class AdminBoundsReader implements LogBoundsReader {
  constructor(
    private readonly admin: Admin,
    private readonly prefix: string,
  ) {}

  async of(topic: string): Promise<LogBounds[]> {
    const offsets = await this.admin.fetchTopicOffsets(this.prefix + topic);
    return offsets.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }));
  }

  async firstSince(topic: string, ms: number): Promise<Map<number, number>> {
    const offsets = await this.admin.fetchTopicOffsetsByTimestamp(this.prefix + topic, ms);
    return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
  }

  /** Searches by halves, in 35 rounds of requests. */
  async oldestRecordAt(topic: string, nowMs: number): Promise<number | undefined> {
    const bounds = (await this.of(topic)).filter(({ low, high }) => high > low);
    if (bounds.length === 0) return undefined;
    let notLater = nowMs + DAY_MS;
    for (let earlier = nowMs - LONGEST_DAYS * DAY_MS; notLater - earlier > 1; ) {
      const middle = Math.floor((earlier + notLater) / 2);
      const first = await this.firstSince(topic, middle);
      if (bounds.every(({ partition, low }) => (first.get(partition) ?? low) <= low)) earlier = middle;
      else notLater = middle;
    }
    return notLater - 1;
  }
}

/** Clocks of brokers may be ahead. */
const DAY_MS = 86_400_000;
/** An older record is taken for one of this age. */
const LONGEST_DAYS = 365;
