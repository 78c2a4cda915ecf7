import { monotonicMs } from '../../../timing/timing.js';
import type { KafkaGroup } from '../patches/group-hooks.js';

/** A group's answers to a member that it evicted or continued without. */
const REFUSALS: ReadonlySet<unknown> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION']);

/**
 * The standing of this member in its group: the time of the group's last sign of it, and its eviction, which the first
 * rejected request shows. From then on others may own its partitions (docs/lane-protocol.md, rule 8).
 */
export class Membership {
  group: KafkaGroup | undefined;
  /**
   * - `none`: a join is in flight, or due.
   * - `joined`: the group was joined; partitions of the assignment before are still owned.
   * - `synced`: the owned partitions are those of the assignment: only now may they be committed, and others taken over.
   * - `out`: the group rejected this member. The client joins when it learns of that; until then nothing is taken over.
   */
  standing: 'none' | 'joined' | 'synced' | 'out' = 'none';
  /** Of the last completed join. */
  private joined: { memberId: string | null; generationId: number | null } | undefined;
  private heardAt = monotonicMs();
  private isDoubted = false;
  private rejoining: Promise<void> | undefined;

  /** @param onEvicted called when the group says that this is none of its members */
  constructor(private readonly onEvicted: () => void) {}

  /** ms since the group last counted on this member. */
  get silentMs(): number {
    return monotonicMs() - this.heardAt;
  }

  noteHeartbeat(): void {
    this.heardAt = monotonicMs();
  }

  /**
   * The group was joined.
   *
   * @returns true when the join continues the one before: as the same member, one generation on
   */
  noteJoin({ memberId, generationId }: KafkaGroup): boolean {
    const before = this.joined;
    this.joined = { memberId, generationId };
    this.standing = 'joined';
    this.noteHeartbeat();
    return before?.memberId === memberId && Number(before?.generationId) + 1 === generationId;
  }

  /** The group is joined again before the next fetch. */
  doubt(): void {
    this.isDoubted = true;
  }

  /**
   * Joins the group when this member doubts its partitions, and after a failed join: the client then keeps its former
   * assignment, member or not. Concurrent fetches share one join.
   */
  async ensure(group: KafkaGroup): Promise<void> {
    if (this.isDoubted || this.standing === 'none') {
      this.isDoubted = false;
      this.rejoining ??= group.joinAndSync().finally(() => {
        this.rejoining = undefined;
      });
    }
    await this.rejoining;
  }

  /** A heartbeat of our own: kafkajs sends them between fetches only. */
  async confirm(): Promise<void> {
    const { group } = this;
    if (!group?.memberId || group.generationId === null) throw new Error('not a member of the group');
    const { groupId, memberId, generationId: groupGenerationId } = group;
    await this.watchRefusals(group, group.coordinator.heartbeat({ groupId, memberId, groupGenerationId }));
    this.noteHeartbeat();
  }

  /** While it drains, "rebalancing" is an answer of the group, too: this member is still known. */
  keepAlive(): void {
    this.confirm().catch((error: unknown) => {
      if (typeOf(error) === 'REBALANCE_IN_PROGRESS') this.noteHeartbeat();
    });
  }

  /**
   * Passes on the answer to a request of this member. A rejection counts for the member that asked: after another join this
   * is another member.
   */
  async watchRefusals<Answer>(group: KafkaGroup, answer: Promise<Answer>): Promise<Answer> {
    const { memberId, generationId } = group;
    try {
      return await answer;
    } catch (error) {
      const isStillThat = group.memberId === memberId && group.generationId === generationId;
      if (REFUSALS.has(typeOf(error)) && isStillThat && group === this.group) {
        this.standing = 'out';
        this.onEvicted();
      }
      throw error;
    }
  }
}

function typeOf(error: unknown): unknown {
  return error instanceof Error && 'type' in error ? error.type : undefined;
}
