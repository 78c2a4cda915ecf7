import { describe, expect, it } from '@jest/globals';
import { TopicMismatchError } from '#common/kafka/port/topics.js';
import type { PortBench } from './port-bench.js';
import { logTopic, testSettings } from './recording-consumer.js';

/** Topics are created as configured, and checked. */
export function describeTopics({ admin, connect, prepared }: PortBench): void {
  describe('topics', () => {
    it('given no topics, then they are created as configured, and a second check passes', async () => {
      const settings = await prepared(testSettings([logTopic('log', 3)]));
      const { topics } = await (await admin()).fetchTopicMetadata({ topics: [`${settings.prefix}log`] });

      expect(topics[0]?.partitions).toHaveLength(3);
      await expect(connect(settings).ensureTopics()).resolves.toBeUndefined();
    });

    it('given a topic with other partitions or another cleanup policy, then the difference is named', async () => {
      const settings = await prepared(testSettings([logTopic('log', 3)]));
      const compacted = { topic: 'log', partitions: 4, config: { 'cleanup.policy': 'compact' } };

      const checked = connect({ ...settings, topics: [compacted] }).ensureTopics();

      await expect(checked).rejects.toThrow(TopicMismatchError);
      await expect(checked).rejects.toThrow(/3 partitions, 4 are configured[\s\S]*cleanup.policy=delete/);
    });
  });
}
