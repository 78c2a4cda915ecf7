import type { Random } from '#common/domain/testing/random.js';
import type { Broker, GroupCommit } from './broker.js';
import { logName } from './broker.js';
import type { Host, Moment, VirtualTime } from './virtual-time.js';

export interface Assigned {
  readonly topic: string;
  readonly partition: number;
}

export interface Joined {
  readonly memberId: string;
  readonly generationId: number;
  readonly assigned: readonly Assigned[];
}

interface Member {
  readonly id: string;
  readonly host: Host;
  readonly clientId: string;
  readonly logs: readonly Assigned[];
  heardAt: number;
  assigned: readonly Assigned[];
  /** The pending join, which waits for other members. */
  answer: ((joined: Joined) => void) | undefined;
  /** Whether the process still waits for the answer. A late request may arrive after the process gave up. */
  isAwaited: () => boolean;
}

/** Kafka's error for a request that does not fit the group's state. */
export class GroupError extends Error {
  constructor(readonly type: 'UNKNOWN_MEMBER_ID' | 'ILLEGAL_GENERATION' | 'REBALANCE_IN_PROGRESS') {
    super(type);
  }
}

const FIRST_JOIN_WAIT_MS = 100;
const REBALANCE_TIMEOUT_MS = 60_000;
const EXPIRY_CHECK_MS = 500;

/** The coordinator of one consumer group, by Kafka's classic protocol. Join and sync are one request here. */
export class GroupCoordinator {
  private readonly members = new Map<string, Member>();
  /** Members that were evicted, or joined after they gave up, and do not know it; by id. */
  private readonly unaware = new Map<string, { readonly host: Host; readonly since: number }>();
  private generation = 0;
  private rebalancing: Moment | undefined;
  private names = 0;

  constructor(
    readonly groupId: string,
    private readonly sessionMs: number,
    private readonly broker: Broker,
    private readonly time: VirtualTime,
    private readonly random: Random,
    private readonly log: (what: string) => void,
  ) {}

  /** True when this process is the last owner of the log and was not evicted since. */
  isOwner(host: Host, log: string): boolean {
    for (const member of this.members.values()) {
      if (member.host === host)
        return member.assigned.some(({ topic, partition }) => logName(topic, partition) === log);
    }
    return false;
  }

  join(
    asked: { memberId: string | null; host: Host; clientId: string; logs: readonly Assigned[] },
    answer: (joined: Joined) => void,
    isAwaited: () => boolean,
  ): void {
    const { memberId, ...who } = asked;
    const known = memberId === null ? undefined : this.members.get(memberId);
    if (memberId !== null && known === undefined) throw new GroupError('UNKNOWN_MEMBER_ID');
    const member = known ?? this.newcomer(who);
    member.answer = answer;
    // A new member that gave up owns no partition yet.
    if (known) known.isAwaited = isAwaited;
    this.members.set(member.id, member);
    this.beginRebalance();
    this.completeWhenAllJoined();
    if (known === undefined) this.watch(member);
  }

  heartbeat(memberId: string, generationId: number): void {
    const member = this.member(memberId);
    member.heardAt = this.time.now;
    if (generationId !== this.generation) throw new GroupError('ILLEGAL_GENERATION');
    if (this.rebalancing) throw new GroupError('REBALANCE_IN_PROGRESS');
  }

  leave(memberId: string): void {
    this.member(memberId);
    this.remove(memberId);
  }

  /** Evicts a member: by an operator, or by a process of the same name. */
  evict(memberId: string): void {
    this.unaware.set(memberId, { host: this.member(memberId).host, since: this.time.now });
    this.remove(memberId);
  }

  /** Records that the group's rejection reached the member. */
  refused(memberId: string): void {
    this.unaware.delete(memberId);
  }

  /**
   * True while a member of this process lost its logs and cannot know it. Without the group's answer, the process
   * releases its logs only when its own lease ends, before the session expires.
   */
  isUnaware(host: Host): boolean {
    return [...this.unaware.values()].some(
      (member) => member.host === host && this.time.now - member.since < this.sessionMs,
    );
  }

  describe(): { memberId: string; clientId: string; host: Host }[] {
    return [...this.members.values()].map(({ id, clientId, host }) => ({ memberId: id, clientId, host }));
  }

  /** Kafka checks the member, not its assignment: a member may commit any log. */
  commit(memberId: string, generationId: number, offsets: readonly [string, GroupCommit][]): void {
    this.member(memberId).heardAt = this.time.now;
    if (generationId !== this.generation) throw new GroupError('ILLEGAL_GENERATION');
    for (const [log, commit] of offsets) this.broker.commit(this.groupId, log, commit);
  }

  private newcomer(who: Pick<Member, 'host' | 'clientId' | 'logs'>): Member {
    const id = `${who.clientId}-${++this.names}`;
    return { ...who, id, heardAt: 0, assigned: [], answer: undefined, isAwaited: () => true };
  }

  private member(id: string): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new GroupError('UNKNOWN_MEMBER_ID');
    return member;
  }

  private beginRebalance(): void {
    this.rebalancing ??= this.time.after(this.generation === 0 ? FIRST_JOIN_WAIT_MS : REBALANCE_TIMEOUT_MS, () => {
      for (const { id, answer } of [...this.members.values()]) if (!answer) this.members.delete(id);
      this.complete();
    });
  }

  private completeWhenAllJoined(): void {
    const isFirst = this.generation === 0;
    if (!isFirst && this.rebalancing && [...this.members.values()].every(({ answer }) => answer)) this.complete();
  }

  private complete(): void {
    if (this.rebalancing) this.rebalancing.isCancelled = true;
    this.rebalancing = undefined;
    this.generation++;
    const members = [...this.members.values()];
    const shares = this.share(members);
    this.log(`${this.groupId} has generation ${this.generation}: ${members.map(({ id }) => id)}`);
    members.forEach((member, index) => {
      const { answer } = member;
      member.heardAt = this.time.now;
      if (answer && !member.isAwaited()) this.unaware.set(member.id, { host: member.host, since: this.time.now });
      member.answer = undefined;
      member.assigned = shares[index] ?? [];
      answer?.({ memberId: member.id, generationId: this.generation, assigned: member.assigned });
    });
  }

  /** Assigns round-robin from a random member: a member may or may not keep its logs. */
  private share(members: readonly Member[]): Assigned[][] {
    const shares: Assigned[][] = members.map(() => []);
    const [first] = members;
    const start = this.random.pick(members.length);
    first?.logs.forEach((log, index) => {
      shares[(start + index) % members.length]?.push(log);
    });
    return shares;
  }

  private remove(memberId: string): void {
    if (!this.members.delete(memberId)) return;
    this.log(`${memberId} is out of ${this.groupId}`);
    if (this.members.size === 0) return;
    this.beginRebalance();
    this.completeWhenAllJoined();
  }

  /** Evicts a member without a heartbeat for one session. A member that waits in a join is not silent. */
  private watch(member: Member): void {
    this.time.after(EXPIRY_CHECK_MS, () => {
      if (this.members.get(member.id) !== member) return;
      const isSilent = member.answer === undefined && this.time.now - member.heardAt > this.sessionMs;
      if (isSilent) this.remove(member.id);
      else this.watch(member);
    });
  }
}
