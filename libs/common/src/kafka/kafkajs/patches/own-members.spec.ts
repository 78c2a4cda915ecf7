import { describe, expect, it, jest } from '@jest/globals';
import kafkajs, { type Assigner, type GroupMember } from 'kafkajs';
import { isOwnMember, ownMembersOnly } from './own-members.js';

const { AssignerProtocol } = kafkajs;
const metadata = (userData?: Buffer) =>
  AssignerProtocol.MemberMetadata.encode({ version: 0, topics: ['log'], userData } as never);
const member = (memberId: string, memberMetadata = metadata()): GroupMember => ({ memberId, memberMetadata });

describe('isOwnMember', () => {
  it.each([
    ['an app of an earlier release', member('posthorn-dispatcher-0-5f93'), true],
    ['a member with the mark', member('reader-5f93', metadata(Buffer.from('posthorn'))), true],
    ['another program', member('x-5f93'), false],
    ['another program with data of its own', member('x-5f93', metadata(Buffer.from([1, 2, 3]))), false],
    ['metadata of no known form', member('x-5f93', Buffer.from([255])), false],
  ])('given %s, then it is recognised', (_, given, isOwn) => {
    expect(isOwnMember(given)).toBe(isOwn);
  });
});

describe('ownMembersOnly', () => {
  it('given members of other programs, then they get no partition and are named', async () => {
    const assign = jest.fn<Assigner['assign']>().mockResolvedValue([]);
    const named = jest.fn();
    const assigner = {
      name: 'RoundRobinAssigner',
      version: 0,
      assign,
      protocol: () => ({ name: '', metadata: metadata() }),
    };
    const own = ownMembersOnly(assigner, named);
    const marked = member('reader-1', own.protocol({ topics: ['log'] }).metadata);
    await own.assign({ members: [member('x-1'), marked], topics: ['log'] });
    expect(assign).toHaveBeenCalledWith({ members: [marked], topics: ['log'] });
    expect(named).toHaveBeenCalledWith(['x-1']);
  });
});
