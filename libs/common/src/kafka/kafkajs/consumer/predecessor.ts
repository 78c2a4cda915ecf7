import { Logger } from '@nestjs/common';
import { delay, monotonicMs } from '../../../timing/timing.js';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { membersOf } from './group-members.js';

const logger = new Logger('endPredecessor');

/** A broker that has just started still reads its groups from disk. */
const NOT_YET: ReadonlySet<string | undefined> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
]);
const RETRY_MS = 200;
const RETRY_FOR_MS = 15_000;

/**
 * Evicts members with this process's client id from the group: a killed predecessor of the same name, or this process's
 * own member from before its client restarted, as it does after a broker's restart. So the group does not wait for their
 * sessions to end. Evicting a living member is safe and slow: it learns of the eviction, as a zombie does.
 */
export async function endPredecessor(group: KafkaGroup, clientId: string): Promise<void> {
  for (const deadline = monotonicMs() + RETRY_FOR_MS; ; await delay(RETRY_MS)) {
    try {
      return await evict(group, clientId);
    } catch (error) {
      if (NOT_YET.has(typeOf(error)) && monotonicMs() < deadline) continue;
      logger.warn({ err: error }, 'predecessor.not_ended');
      return;
    }
  }
}

async function evict(group: KafkaGroup, clientId: string): Promise<void> {
  const { groupId } = group;
  const coordinator = await group.cluster.findGroupCoordinator({ groupId });
  for (const member of await membersOf(coordinator, groupId)) {
    if (member.clientId !== clientId || member.memberId === group.memberId) continue;
    await coordinator.leaveGroup({ groupId, memberId: member.memberId });
    logger.log({ member_id: member.memberId }, 'predecessor.ended');
  }
}

function typeOf(error: unknown): string | undefined {
  return error instanceof Error && 'type' in error ? String(error.type) : undefined;
}
