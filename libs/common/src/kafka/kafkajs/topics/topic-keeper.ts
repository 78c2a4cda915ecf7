import { Logger } from '@nestjs/common';
import { recreatedTopics } from '../../port/metrics.js';
import type { KafkaSettings } from '../../port/settings.js';
import type { TopicKeeper } from '../../port/topics.js';
import { clusterOf, createKafka } from '../connection/client.js';
import { type TopicState, topicIdentities } from '../queries/topic-identities.js';
import { createTopics } from './topic-admin.js';

const CHECK_INTERVAL_MS = 2_000;

/**
 * Checks every 2 s that all topics exist, and creates a missing one with its settings, as at the start. A topic must be
 * missing in two checks: a broker that has just started may not know all topics yet.
 */
export class KafkajsTopicKeeper implements TopicKeeper {
  private readonly logger = new Logger('TopicKeeper');
  private readonly cluster: ReturnType<typeof clusterOf>;
  private readonly ids = new Map<string, string | undefined>();
  private missing: ReadonlySet<string> = new Set();
  /** Topics with more partitions than are configured, and how many they have. */
  private readonly grown = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private checking: Promise<void> | undefined;

  constructor(private readonly settings: KafkaSettings) {
    this.cluster = clusterOf(createKafka(settings));
  }

  start(): void {
    this.timer = setInterval(() => {
      this.checking ??= this.check().finally(() => {
        this.checking = undefined;
      });
    }, CHECK_INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.checking;
    await this.cluster.disconnect();
  }

  warning(): string | undefined {
    const texts = this.settings.topics
      .filter(({ topic }) => this.grown.has(topic))
      .map(({ topic, partitions }) => `${topic} has ${this.grown.get(topic)} partitions, ${partitions} are configured`);
    return texts.length === 0 ? undefined : `${texts.join('; ')}: docs/operating.md, "Adding partitions"`;
  }

  idOf(topic: string): string | undefined {
    return this.ids.get(topic);
  }

  private async check(): Promise<void> {
    const { prefix, topics } = this.settings;
    try {
      const states = await topicIdentities(
        this.cluster,
        topics.map(({ topic }) => prefix + topic),
      );
      this.noteIds(states);
      this.noteGrowth(states);
      const missing = topics.filter(({ topic }) => !states.has(prefix + topic));
      await this.recreate(missing.filter(({ topic }) => this.missing.has(topic)));
      this.missing = new Set(missing.map(({ topic }) => topic));
    } catch (error) {
      this.logger.debug({ err: error }, 'topics.not_checked');
    }
  }

  private noteIds(states: ReadonlyMap<string, TopicState>): void {
    for (const { topic } of this.settings.topics) {
      const state = states.get(this.settings.prefix + topic);
      if (state !== undefined) this.ids.set(topic, state.topicId);
    }
  }

  private noteGrowth(states: ReadonlyMap<string, TopicState>): void {
    for (const { topic, partitions: configured } of this.settings.topics) {
      const partitions = states.get(this.settings.prefix + topic)?.partitions ?? 0;
      if (partitions <= configured) this.grown.delete(topic);
      else if (this.grown.get(topic) !== partitions) {
        this.grown.set(topic, partitions);
        this.logger.error({ topic, partitions, configured }, 'topic.partitions_added');
      }
    }
  }

  private async recreate(specs: KafkaSettings['topics']): Promise<void> {
    if (specs.length === 0) return;
    const admin = createKafka(this.settings).admin({ retry: { retries: 2 } });
    try {
      await admin.connect();
      for (const spec of specs) {
        // Another process may have been faster.
        if (!(await createTopics(admin, this.settings, [spec]))) continue;
        recreatedTopics.inc({ topic: spec.topic });
        this.logger.error({ topic: spec.topic, partitions: spec.partitions }, 'topic.recreated');
      }
    } catch (error) {
      this.logger.error({ err: error, topics: specs.map(({ topic }) => topic) }, 'topic.not_recreated');
    } finally {
      await admin.disconnect();
    }
  }
}
