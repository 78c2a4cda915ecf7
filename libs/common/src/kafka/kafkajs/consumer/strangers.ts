import { Logger } from '@nestjs/common';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { isOwnMember } from '../patches/own-members.js';
import { membersOf } from './group-members.js';

const REMEDY = 'stop it, or set KAFKA_TOPIC_PREFIX';

/** Other programs in the consumer group of an app. Such a program takes partitions, and may commit undelivered records. */
export class Strangers {
  private readonly logger = new Logger(Strangers.name);
  /** Members without partitions, while this member leads. */
  private idle: readonly string[] = [];
  /** The members of the group speak another assignment protocol. */
  private isOtherProtocol = false;
  /** The latest leader that was checked. A stranger assigns partitions to itself. */
  private leader: { readonly id: string; readonly isStranger: boolean } | undefined;

  constructor(private readonly groupId: string) {}

  /** @param memberIds members that this member, as the leader, gave no partition */
  noteIdle(memberIds: readonly string[]): void {
    this.idle = memberIds;
    if (memberIds.length > 0) this.logger.error({ group: this.groupId, members: memberIds }, 'group.strangers');
  }

  /** The group rejected a join. */
  noteOtherProtocol(): void {
    if (!this.isOtherProtocol) this.logger.error({ group: this.groupId }, 'group.of_another_program');
    this.isOtherProtocol = true;
  }

  /** The group was joined. */
  noteJoin(): void {
    this.isOtherProtocol = false;
  }

  /**
   * Finds out whether another program leads the group, once per leader. Call it again after an error.
   *
   * @throws when the group's coordinator does not answer
   */
  async checkLeader(group: KafkaGroup): Promise<void> {
    const { leaderId, memberId, groupId } = group;
    if (leaderId === null || leaderId === memberId) {
      this.leader = undefined;
      return;
    }
    if (leaderId === this.leader?.id) return;
    this.idle = [];
    const members = await membersOf(group.coordinator, groupId);
    const leader = members.find((member) => member.memberId === leaderId);
    const isStranger = leader !== undefined && leader.memberMetadata.length > 0 && !isOwnMember(leader);
    if (isStranger)
      this.logger.error({ group: groupId, leader: leaderId, client_id: leader.clientId }, 'group.led_by_stranger');
    this.leader = { id: leaderId, isStranger };
  }

  /** For readiness: another program holds partitions of the group. */
  problem(): string | undefined {
    if (this.isOtherProtocol) return `group ${this.groupId} has only members of another program: ${REMEDY}`;
    if (!this.leader?.isStranger) return undefined;
    return `group ${this.groupId} is led by ${this.leader.id}, which is another program: ${REMEDY}`;
  }

  /** For readiness: other programs are in the group and get nothing. */
  warning(): string | undefined {
    if (this.idle.length === 0) return undefined;
    return `group ${this.groupId} has members of another program, which get no partition: ${this.idle.join(', ')}; ${REMEDY}`;
  }
}
