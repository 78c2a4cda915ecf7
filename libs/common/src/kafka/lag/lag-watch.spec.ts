import { describe, expect, it, jest } from '@jest/globals';
import { register } from 'prom-client';
import type { KafkaSettings } from '../port/settings.js';
import { LagWatch, type LagWatchOptions, type PartitionState } from './lag-watch.js';
import type { LogOffsets, OffsetsOfGroup, OffsetsReader } from './offsets-reader.js';
import type { StallEnd } from './stall-watch.js';

const behind: LogOffsets = { topic: 't.log', partition: 0, commit: 4, stable: 10, end: 12 };
const idle: PartitionState = { position: 4, unfinished: 0, isPaused: false };

/** What brokers would say, and what is stored there. */
class Brokers implements OffsetsReader {
  answer: Partial<OffsetsOfGroup> | Error = { logs: [behind] };
  readonly ends = new Map<string, StallEnd>();
  canStore = true;

  async read(): Promise<OffsetsOfGroup> {
    if (this.answer instanceof Error) throw this.answer;
    return { logs: [], missing: [], leaderless: [], ...this.answer };
  }

  async lastEnd(topic: string, partition: number): Promise<StallEnd | undefined> {
    return this.ends.get(`${topic}/${partition}`);
  }

  async noteEnd(topic: string, partition: number, end: StallEnd): Promise<void> {
    if (!this.canStore) throw new Error('not authorized');
    this.ends.set(`${topic}/${partition}`, end);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function watching(options: Partial<LagWatchOptions> = {}) {
  const brokers = new Brokers();
  const fatal: string[] = [];
  const onFatal = ({ message }: Error) => void fatal.push(message);
  const settings = { prefix: 't.', onFatal } as KafkaSettings;
  const watch = new LagWatch(settings, brokers, { topics: ['log'], isTable: false, stateOf: () => idle, ...options });
  watch.start();
  return { brokers, fatal, watch, settings };
}

async function gauge(name: string): Promise<number | undefined> {
  return (await register.getSingleMetric(name)?.get())?.values.find(({ labels }) => labels.topic === 'log')?.value;
}

describe('LagWatch', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const run = (seconds: number) => jest.advanceTimersByTimeAsync(seconds * 1_000);

  it('given a partition that stands still, then it is named after 30 s, and the process ends once after 60 s', async () => {
    const { brokers, fatal, watch } = watching();
    await run(30);
    expect(watch.problem()).toBeUndefined();
    await run(5);
    expect(watch.problem()).toBe('log/0 has stood still for 30 s, 6 records behind (not read)');
    expect(await gauge('posthorn_consumer_stalled_partitions')).toBe(1);
    expect(fatal).toEqual([]);
    await run(30);
    expect(fatal).toEqual(['stalled: log/0 has stood still for 60 s, 6 records behind (not read)']);

    await run(1_200);
    expect(fatal).toHaveLength(1);
    brokers.answer = { logs: [{ ...behind, stable: 11 }] };
    await run(10);
    expect(fatal).toHaveLength(2);
    await watch.close();
  });

  it('given two partitions that stand still, then one end is for both', async () => {
    const { brokers, fatal, watch } = watching();
    const other = { ...behind, partition: 1 };
    brokers.answer = { logs: [behind, other] };
    await run(600);

    expect(fatal).toHaveLength(1);
    expect([...brokers.ends.keys()]).toEqual(['t.log/0', 't.log/1']);
    await watch.close();
  });

  it('given an end that cannot be stored, then the process goes on', async () => {
    const { brokers, fatal, watch } = watching();
    brokers.canStore = false;
    await run(300);

    expect(watch.problem()).toContain('log/0');
    expect(fatal).toEqual([]);
    await watch.close();
  });

  it('given a topic that is missing, then it is named', async () => {
    const { brokers, watch } = watching();
    brokers.answer = { missing: ['t.log'] };
    await run(35);

    expect(watch.problem()).toBe('topic log has been missing for 30 s');
    await watch.close();
  });

  it('given another topic without a leader, then unfinished records have a reason, and unread ones have none', async () => {
    const unfinished = { ...idle, position: 10, unfinished: 6 };
    const written = watching({ stateOf: () => unfinished });
    const unread = watching();
    for (const { brokers } of [written, unread]) brokers.answer = { logs: [behind], leaderless: ['t.side/1'] };
    await run(60);

    expect(written.watch.problem()).toBeUndefined();
    expect(unread.watch.problem()).toContain('not read');
    await written.watch.close();
    await unread.watch.close();
  });

  it('given brokers that do not answer any more, then old lag is not shown, and there is no alarm', async () => {
    const { brokers, watch } = watching();
    await run(40);
    expect(await gauge('posthorn_consumer_lag_records')).toBe(6);
    expect(await gauge('posthorn_consumer_open_transaction_records')).toBe(2);

    brokers.answer = new Error('connection refused');
    await run(20);
    expect(await gauge('posthorn_consumer_lag_records')).toBeUndefined();
    expect(watch.problem()).toBeUndefined();
    await watch.close();
  });

  it('given a table, then its lag is measured from its position', async () => {
    const { watch } = watching({ isTable: true, stateOf: () => ({ ...idle, position: 9 }) });
    await run(5);
    expect(await gauge('posthorn_consumer_lag_records')).toBe(1);
    await watch.close();
  });
});
