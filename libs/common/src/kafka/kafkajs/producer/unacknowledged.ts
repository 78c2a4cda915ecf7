import type { RecordMetadata } from 'kafkajs';
import type { PartitionBatch } from '../wire/produce-request.js';

/** The records of a request for one topic, by its full name. */
export interface TopicPart {
  readonly topic: string;
  readonly messages: PartitionBatch[];
}

/** The records that no answer acknowledges: they are written again. */
export function withoutAcknowledged(
  parts: readonly TopicPart[],
  answers: readonly Pick<RecordMetadata, 'topicName' | 'partition'>[],
): TopicPart[] {
  const acknowledged = new Set(answers.map(({ topicName, partition }) => `${topicName}/${partition}`));
  const left = parts.map(({ topic, messages }) => ({
    topic,
    messages: messages.filter(({ partition }) => !acknowledged.has(`${topic}/${partition}`)),
  }));
  return left.filter(({ messages }) => messages.length > 0);
}
