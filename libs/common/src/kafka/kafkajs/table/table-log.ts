import type { TopicIdentity } from '../../port/topic-identity.js';
import { LeadersRefresh } from '../consumer/leaders-refresh.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { reaches } from '../queries/partition-queries.js';
import { isSameTopic, type TopicState } from '../queries/topic-identities.js';

/** Called when the topic is another log than before. */
export type ReplacedListener = (was: TopicIdentity, is: TopicIdentity) => void;

/** A fetch and the log that was read before it. `unknown`: the leader does not answer, or the topic was made again. */
export type Continuation = 'continued' | 'truncated' | 'unknown';

/** The log that a table reads: whether it is still the same, and still has everything that was read. */
export class TableLog {
  private group: KafkaGroup | undefined;
  private state: TopicState | undefined;
  private readonly leaders = new LeadersRefresh();
  /** By partition: the leader epoch of the last batch before the table's position. */
  private readonly epochs = new Map<number, number>();

  /** @param topic with prefix */
  constructor(
    private readonly topic: string,
    private readonly onReplaced: ReplacedListener,
  ) {}

  join(group: KafkaGroup): void {
    this.group = group;
  }

  /**
   * Asks a broker which log the topic has.
   *
   * @throws when no broker answers, or the topic does not exist
   */
  async check(): Promise<void> {
    const { group } = this;
    if (group === undefined) throw new Error(`the table of ${this.topic} has not started`);
    const states = await group.cluster.topicIdentities([this.topic]);
    await this.leaders.noteCheck(group.cluster, states);
    const state = states.get(this.topic);
    if (state === undefined) throw new Error(`topic ${this.topic} does not exist`);
    const former = this.state;
    this.state = state;
    if (former !== undefined && !isSameTopic(state, former)) this.onReplaced(former, state);
  }

  /** @param leaderEpoch of the last batch before the table's position; undefined in old record formats */
  noteEpoch(partition: number, leaderEpoch: number | undefined): void {
    if (leaderEpoch !== undefined) this.epochs.set(partition, leaderEpoch);
  }

  /** The partition is read again from its first record. */
  forget(partition: number): void {
    this.epochs.delete(partition);
  }

  /**
   * A fetch may bring records of another leader epoch. In the log that was read the former epoch {@link reaches} the position.
   *
   * @param position end of what the table has read
   * @param leaderEpoch of the first batch of the fetch
   * @throws when no broker answers, or the topic does not exist
   */
  async compare(partition: number, position: number, leaderEpoch: number | undefined): Promise<Continuation> {
    const known = this.epochs.get(partition);
    if (known === undefined || leaderEpoch === undefined || leaderEpoch === known) return 'continued';
    await this.check();
    const leader = this.state?.leaders[partition] ?? -1;
    // A topic that was made again has no known epoch.
    if (this.group === undefined || leader < 0 || !this.epochs.has(partition)) return 'unknown';
    const question = { topic: this.topic, partition, leader, leaderEpoch: known };
    const isReached = await reaches(this.group.cluster, question, position);
    if (isReached === undefined) return 'unknown';
    return isReached ? 'continued' : 'truncated';
  }
}
