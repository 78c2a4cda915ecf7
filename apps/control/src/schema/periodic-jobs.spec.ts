import { Rounds } from '#common/timing/rounds.js';
import { PeriodicJobs } from './periodic-jobs.js';
import type { SchemaState } from './schema-state.js';

describe('PeriodicJobs', () => {
  it('given jobs, when the tables and what a job waits for are ready, then its first round runs, until the app stops', async () => {
    const [schema, topics] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const jobs = new PeriodicJobs({ ready: schema.promise } as SchemaState);
    const begun: string[] = [];
    const roundsOf = (name: string) =>
      new Rounds({ periodMs: 3_600_000, onError: fail, round: async () => void begun.push(name) });
    const stopped = roundsOf('stopped');
    jobs.add(roundsOf('plain'));
    jobs.add(roundsOf('after topics'), topics.promise);
    jobs.add(stopped, topics.promise);
    jobs.onApplicationBootstrap();
    await turn();
    expect(begun).toEqual([]);
    schema.resolve();
    await turn();
    expect(begun).toEqual(['plain']);
    stopped.stop();
    topics.resolve();
    await turn();
    expect(begun).toEqual(['plain', 'after topics']);
    jobs.onModuleDestroy();
    expect(stopped.isStopping).toBe(true);
  });
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

function fail(error: unknown): never {
  throw error;
}
