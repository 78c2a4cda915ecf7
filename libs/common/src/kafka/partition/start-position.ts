import type { Committed, StartOffset } from '../../domain/start-offset.js';
import type { TopicIdentity } from '../port/topic-identity.js';

/** Where the reading of a partition begins, and what is known about it. */
export interface StartPosition extends StartOffset {
  readonly topic: string;
  readonly partition: number;
  readonly identity: TopicIdentity;
  readonly end: number;
  readonly committed: Committed;
}
