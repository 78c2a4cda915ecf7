/** Identifies one log of a topic: another topic of the same name has another id. */
export interface TopicIdentity {
  /**
   * Kafka's topic id, base64url of 16 bytes. Undefined when the broker gives none: one older than Kafka 2.8, or another
   * product. Then logs are distinguished by a record they hold (domain/start-offset.ts).
   */
  readonly topicId: string | undefined;
  readonly partitions: number;
}
