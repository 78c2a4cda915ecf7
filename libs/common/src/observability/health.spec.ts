import { Health } from './health.js';

describe('Health', () => {
  it('given a note, then readiness shows it and stays as it is', () => {
    const health = new Health();
    health.addReadiness({ name: 'router', problem: () => undefined });
    health.addNote({ name: 'postgres', problem: () => 'authentication: …' });
    expect(health.ready()).toEqual({ status: 'ok', checks: { router: 'ok', postgres: 'authentication: …' } });
    expect(health.live()).toEqual({ status: 'ok', checks: {} });
  });

  it('given something that is missing, then it is not ready, and says what', () => {
    const health = new Health();
    health.addReadiness({ name: 'router', problem: () => 'not a member' });
    expect(health.ready()).toEqual({ status: 'unavailable', checks: { router: 'not a member' } });
  });
});
