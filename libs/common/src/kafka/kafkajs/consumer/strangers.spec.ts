import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { Strangers } from './strangers.js';

const member = (memberId: string) => ({ memberId, clientId: memberId, memberMetadata: Buffer.from([1]) });

/** A group led by another member. */
function groupLedBy(leaderId: string, answers: (Error | ReturnType<typeof member>[])[]) {
  let asked = 0;
  const describeGroups = async () => {
    const answer = answers[asked++] ?? [];
    if (answer instanceof Error) throw answer;
    return { groups: [{ members: answer }] };
  };
  const group = { groupId: 'router', memberId: 'posthorn-ingest-0-1', leaderId, coordinator: { describeGroups } };
  return { group: group as unknown as KafkaGroup, asked: () => asked };
}

describe('Strangers', () => {
  beforeEach(() => void jest.spyOn(Logger.prototype, 'error').mockReturnValue());
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('given a coordinator that does not answer at first, then the next check finds the leader, and asks no more', async () => {
    const strangers = new Strangers('router');
    const { group, asked } = groupLedBy('x-1', [new Error('away'), [member('x-1')]]);
    await expect(strangers.checkLeader(group)).rejects.toThrow('away');
    expect(strangers.problem()).toBeUndefined();
    await strangers.checkLeader(group);
    await strangers.checkLeader(group);
    expect(strangers.problem()).toContain('group router is led by x-1, which is another program');
    expect(asked()).toBe(2);
  });

  it('given that an app of Posthorn leads, then there is no problem', async () => {
    const strangers = new Strangers('router');
    await strangers.checkLeader(groupLedBy('posthorn-ingest-1-2', [[member('posthorn-ingest-1-2')]]).group);
    expect(strangers.problem()).toBeUndefined();
  });

  it('given a rejected join, then the group is of another program until a join succeeds', () => {
    const strangers = new Strangers('router');
    strangers.noteOtherProtocol();
    expect(strangers.problem()).toContain('has only members of another program');
    strangers.noteJoin();
    expect(strangers.problem()).toBeUndefined();
  });
});
