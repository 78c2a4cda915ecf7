import { describe, expect, it } from '@jest/globals';
import type { KafkaGroup } from '../patches/group-hooks.js';
import { Membership } from './membership.js';

const refused = Object.assign(new Error('unknown member'), { type: 'UNKNOWN_MEMBER_ID' });

describe('Membership', () => {
  it('given a rejected request of the present member, then it is out until the next join, and is not joined here', async () => {
    let evictions = 0;
    let joins = 0;
    const membership = new Membership(() => evictions++);
    const group = { memberId: 'a', generationId: 1, joinAndSync: async () => joins++ } as unknown as KafkaGroup;
    membership.group = group;
    membership.noteJoin(group);
    membership.standing = 'synced';
    await expect(membership.watchRefusals(group, Promise.reject(refused))).rejects.toThrow();
    expect({ evictions, standing: membership.standing }).toEqual({ evictions: 1, standing: 'out' });
    await membership.ensure(group);
    expect(joins).toBe(0);
    membership.noteJoin(group);
    expect(membership.standing).toBe('joined');
  });

  it('given a rejected request of a former member, then the present one stays', async () => {
    const membership = new Membership(() => undefined);
    const group = { memberId: 'a', generationId: 1 } as { memberId: string; generationId: number };
    membership.group = group as unknown as KafkaGroup;
    membership.noteJoin(membership.group);
    membership.standing = 'synced';
    const answer = membership.watchRefusals(membership.group, Promise.reject(refused));
    group.memberId = 'b';
    await expect(answer).rejects.toThrow();
    expect(membership.standing).toBe('synced');
  });
});
