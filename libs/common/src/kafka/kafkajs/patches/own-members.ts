import kafkajs, { type Assigner, type GroupMember } from 'kafkajs';

// Node does not see this name among the exports of a CommonJS package.
const { AssignerProtocol } = kafkajs;

/** User data in the metadata of every member that this code starts. */
const MARK = Buffer.from('posthorn');
/** Client ids of apps begin with it. Members of earlier releases have no mark. */
const APP_PREFIX = 'posthorn-';

/** Whether a member of a group runs this code. A member of another program reads partitions and does nothing with them. */
export function isOwnMember({ memberId, memberMetadata }: GroupMember): boolean {
  if (memberId.startsWith(APP_PREFIX)) return true;
  try {
    return AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData.equals(MARK) ?? false;
  } catch {
    // Another program may write any bytes.
    return false;
  }
}

/**
 * Gives partitions to members of this code only. Another program with the same group id gets none while such a member leads
 * the group.
 *
 * @param onStrangers called with the ids of the other members, at each join that this member leads
 */
export function ownMembersOnly(assigner: Assigner, onStrangers?: (memberIds: readonly string[]) => void): Assigner {
  return {
    ...assigner,
    protocol: ({ topics }) => ({
      name: assigner.name,
      metadata: AssignerProtocol.MemberMetadata.encode({ version: assigner.version, topics, userData: MARK }),
    }),
    assign: async ({ members, topics }) => {
      const own = members.filter(isOwnMember);
      const strangers = members.filter((member) => !own.includes(member)).map(({ memberId }) => memberId);
      onStrangers?.(strangers);
      return assigner.assign({ members: own, topics });
    },
  };
}
