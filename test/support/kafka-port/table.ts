import { describe, expect, it } from '@jest/globals';
import { until } from '../until.js';
import type { PortBench } from './port-bench.js';
import { testSettings } from './recording-consumer.js';

/** A compacted topic is read whole, and followed. */
export function describeTable({ admin, cleanups, connect, prepared, producer }: PortBench): void {
  describe('CompactedTable', () => {
    const compacted = { topic: 'table', partitions: 1, config: { 'cleanup.policy': 'compact' } };

    it('given a topic with records, then the table is caught up after its start, follows changes, and leaves no group', async () => {
      const settings = await prepared(testSettings([compacted]));
      const writer = await producer(settings);
      const put = (key: string, value: string | null) => writer.write([{ topic: 'table', key, value }]);
      await put('a', '1');
      await put('b', '1');
      await put('a', '2');
      await put('b', null);
      const rows = new Map<string, string>();
      const table = connect(settings).table({
        topic: 'table',
        apply: (key, value) => void (value === null ? rows.delete(key) : rows.set(key, value.toString())),
      });

      await table.start();
      expect(table.isCaughtUp).toBe(true);
      expect([...rows]).toEqual([['a', '2']]);

      await put('c', '1');
      await until('the change arrives', () => rows.has('c'));
      await table.stop();
      const { groups } = await (await admin()).listGroups();
      expect(groups.filter(({ groupId }) => groupId.startsWith(settings.prefix))).toEqual([]);
    });

    it('given an empty topic, then the table is caught up at once', async () => {
      const settings = await prepared(testSettings([compacted]));
      const table = connect(settings).table({ topic: 'table', apply: () => undefined });
      cleanups.push(() => table.stop());

      await table.start();

      expect(table.isCaughtUp).toBe(true);
    });
  });
}
