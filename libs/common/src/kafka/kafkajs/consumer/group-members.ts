import type { GroupBroker } from '../patches/group-hooks.js';

type Description = Awaited<ReturnType<GroupBroker['describeGroups']>>;
export type MemberDescription = Description['groups'][number]['members'][number];

/** @throws when the group's coordinator does not answer */
export async function membersOf(coordinator: GroupBroker, groupId: string): Promise<MemberDescription[]> {
  const { groups } = await coordinator.describeGroups({ groupIds: [groupId] });
  return groups.flatMap(({ members }) => members);
}
