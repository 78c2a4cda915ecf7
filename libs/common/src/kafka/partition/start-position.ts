import type { Committed, StartOffset } from '../../domain/start-offset.js';
import type { TopicIdentity } from '../port/topic-identity.js';

/** The first position of a partition's reader, and its evidence. */
export interface StartPosition extends StartOffset {
  readonly topic: string;
  readonly partition: number;
  readonly identity: TopicIdentity;
  readonly end: number;
  readonly committed: Committed;
}
