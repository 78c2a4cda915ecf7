import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppName } from '../support/app-processes.js';
import { Cluster } from '../support/cluster.js';
import type { OrderedTraffic } from '../support/ordered-traffic.js';
import { runScript } from '../support/run-script.js';
import { useTraffic } from '../support/use-traffic.js';

/*
 * The rotation of docs/operating.md ("Rotating SECRET_KEYS"), under load, compared with the same rolling restarts
 * without a rotation.
 */

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('old');
const NEW = keyText('new');
/** Apps that need keys, two dispatchers, in the order of an upgrade. */
const PROCESSES: readonly (readonly [AppName, number])[] = [
  ['control', 0],
  ['dispatcher', 0],
  ['dispatcher', 1],
];
/** Allowed time beyond the slowest delivery of the restarts without a rotation. */
const ALLOWED_MS = 5_000;

let cluster: Cluster;
const traffic = useTraffic(() => cluster);

beforeAll(async () => {
  cluster = await Cluster.start({ SECRET_KEYS: OLD });
  await cluster.add('dispatcher', 1);
}, 240_000);

afterAll(() => cluster?.stop(), 60_000);

async function roll(keys: string, processes = PROCESSES): Promise<void> {
  for (const [app, instance] of processes) {
    await cluster.remove(cluster.app(app, instance));
    await cluster.add(app, instance, { SECRET_KEYS: keys });
  }
}

function reseal(keys: string): Promise<{ code: number | null; output: string }> {
  const env = {
    SECRET_KEYS: keys,
    DATABASE_URL: cluster.postgres.url,
    KAFKA_BROKERS: cluster.kafka.brokers.join(','),
  };
  return runScript('reseal', env);
}

async function underLoad(work: () => Promise<void>): Promise<OrderedTraffic> {
  const seen = await traffic({
    resources: 20,
    rounds: Number.POSITIVE_INFINITY,
    roundMs: 250,
    endpoint: { headers: { 'x-own': 'kept' } },
  });
  const publishing = seen.publish();
  try {
    await work();
  } finally {
    seen.isStopped = true;
    await publishing;
  }
  await seen.complete(60_000);
  return seen;
}

describe('the rotation of a secret key', () => {
  it('given load, then no delivery is dead, or 5 s later than in the same restarts without a rotation', async () => {
    const plain = await underLoad(async () => {
      for (let round = 0; round < 3; round++) await roll(OLD);
    });
    let first: { code: number | null; output: string } | undefined;
    let second: typeof first;
    const rotated = await underLoad(async () => {
      await roll(`${OLD},${NEW}`);
      await roll(`${NEW},${OLD}`);
      first = await reseal(`${NEW},${OLD}`);
      second = await reseal(`${NEW},${OLD}`);
      await roll(NEW);
    });

    expect(first).toMatchObject({ code: 0, output: expect.stringContaining('2 endpoints sealed under "new"') });
    expect(second).toMatchObject({ code: 0, output: expect.stringContaining('0 endpoints sealed under "new"') });
    expect(second?.output).toContain('key "old": unused, it may be removed from SECRET_KEYS');
    const letters = await cluster.call<{ items: unknown[] }>('control', '/v1/dead-letters');
    expect({ dead: letters.items, disorder: rotated.disorder, accepted: rotated.accepted.size }).toEqual({
      dead: [],
      disorder: 0,
      accepted: rotated.published,
    });
    process.stderr.write(`slowest delivery: ${plain.slowestMs} ms without, ${rotated.slowestMs} ms with a rotation\n`);
    expect(rotated.slowestMs).toBeLessThanOrEqual(plain.slowestMs + ALLOWED_MS);
  }, 420_000);
});
