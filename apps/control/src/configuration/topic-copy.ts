import { ConfigurationTable } from '#common/kafka/configuration-table.js';
import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import type { ChangeNumber, RecordedChange } from '#common/records/configuration-change.js';
import { CONFIGURATION_TOPICS, type ConfigurationTopic } from '../changes/configuration-topics.js';

/** The newest record of a key that may be used. */
export interface CopiedRecord {
  readonly version: number;
  readonly change: RecordedChange | undefined;
  /** Undefined for a tombstone. */
  readonly value: unknown;
}

/** Everything that the topics of configuration have. */
export interface TopicCopy {
  readonly records: ReadonlyMap<ConfigurationTopic, ReadonlyMap<string, CopiedRecord>>;
  /** The highest change that they name. */
  readonly highest: ChangeNumber | undefined;
  /** Topics with control's marker: without it a log may lack records that the former log had. */
  readonly complete: ReadonlySet<ConfigurationTopic>;
}

/** Parses a value. @throws when it is malformed */
export type ValueParsers = Readonly<Record<ConfigurationTopic, (key: string, text: string) => { version: number }>>;

/** Reads both topics to their ends, once. */
export async function copyTopics(kafka: KafkaClient, parsers: ValueParsers): Promise<TopicCopy> {
  let highest: ChangeNumber | undefined;
  const complete = new Set<ConfigurationTopic>();
  const note = (change: ChangeNumber | undefined) => {
    if (change !== undefined && change.sequence > (highest?.sequence ?? 0)) highest = change;
  };
  const topics = CONFIGURATION_TOPICS.map(async (topic) => {
    const records = new Map<string, CopiedRecord>();
    const table = new ConfigurationTable(kafka, {
      topic,
      apply: ({ key, value, change }) => {
        const parsed = value === null ? undefined : parsers[topic](key, value.toString());
        const version = change?.version ?? parsed?.version ?? records.get(key)?.version ?? 0;
        if (version < (records.get(key)?.version ?? 0)) return;
        note(change);
        records.set(key, { version, change, value: parsed });
      },
      onMarker: ({ change }) => note(change),
    });
    try {
      await table.start();
      if (table.isComplete) complete.add(topic);
    } finally {
      await table.stop();
    }
    return [topic, records] as const;
  });
  return { records: new Map(await Promise.all(topics)), highest, complete };
}
