import { register } from 'prom-client';
import { Health } from '#common/observability/health.js';
import { compareChanges, Standing } from './standing.js';

const known = { latest: { sequence: 100, id: 'a100' }, oldestSequence: 10, askedId: undefined };

describe('compareChanges', () => {
  it.each([
    { given: 'topics that name no change', highest: undefined, askedId: undefined, kind: 'same' },
    { given: 'the change the database has', highest: { sequence: 100, id: 'a100' }, askedId: 'a100', kind: 'same' },
    { given: 'an older change it has', highest: { sequence: 90, id: 'a90' }, askedId: 'a90', kind: 'same' },
    { given: 'a change older than it remembers', highest: { sequence: 9, id: 'a9' }, askedId: undefined, kind: 'same' },
    { given: 'a change beyond its last', highest: { sequence: 101, id: 'a101' }, askedId: undefined, kind: 'ahead' },
    { given: 'another change of a number it has', highest: { sequence: 90, id: 'b90' }, askedId: 'a90', kind: 'ahead' },
  ])('given $given, then $kind', ({ highest, askedId, kind }) => {
    expect(compareChanges(highest, { ...known, askedId }).kind).toBe(kind);
  });
});

describe('Standing', () => {
  it('given topics that are ahead, then changes are refused, and readiness warns without failing; then all is well again', () => {
    const health = new Health();
    const standing = new Standing(health);
    expect(health.ready().status).toBe('unavailable');
    standing.set({ kind: 'ahead', reason: 'the topics have change 7' });
    expect(() => standing.requireSame()).toThrow(expect.objectContaining({ code: 'CONFIGURATION_AHEAD' }));
    expect(health.ready()).toEqual({
      status: 'ok',
      checks: { configuration: expect.stringMatching(/^warning: the topics have change 7; .*npm run reconcile/) },
    });
    standing.set({ kind: 'same' });
    expect(() => standing.requireSame()).not.toThrow();
    expect(health.ready().checks).toEqual({ configuration: 'ok' });
    register.clear();
  });
});
