import { Logger } from '@nestjs/common';
import type { KafkaGroup } from './kafkajs-group.js';

const logger = new Logger('endPredecessor');

/**
 * Takes members with our own client id out of the group: a killed predecessor of the same name, or what this process was
 * before its client started anew, as it does when a broker restarts. Nobody need wait for their sessions to end. Should
 * such a member live after all, it finds itself evicted, as a zombie does: that is safe, only slow.
 */
export async function endPredecessor(group: KafkaGroup, clientId: string): Promise<void> {
  const { groupId } = group;
  try {
    const coordinator = await group.cluster.findGroupCoordinator({ groupId });
    const { groups } = await coordinator.describeGroups({ groupIds: [groupId] });
    for (const member of groups.flatMap(({ members }) => members)) {
      if (member.clientId !== clientId || member.memberId === group.memberId) continue;
      await coordinator.leaveGroup({ groupId, memberId: member.memberId });
      logger.log({ member_id: member.memberId }, 'predecessor.ended');
    }
  } catch (error) {
    logger.warn({ err: error }, 'predecessor.not_ended');
  }
}
