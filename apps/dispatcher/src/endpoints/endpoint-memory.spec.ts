import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { PRESETS } from '#common/domain/retry-policy.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Health } from '#common/observability/health.js';
import { newId } from '#common/random/new-id.js';
import { Sealer, sealingContext } from '#common/security/sealing.js';
import { ENDPOINT } from '../../../../test/support/endpoint-record.js';
import { MemoryTable } from '../../../../test/support/memory-table.js';
import { EndpointDirectory } from './endpoint-directory.js';

/** At rest, of an endpoint with one secret and a usual URL. */
const MOST_BYTES = 500;
const MANY = 8_000;
const sealer = new Sealer(`key-2026:${randomBytes(32).toString('base64')}`);

function usualRecord(id: string, number: number) {
  const tenant = `customer-${number}`;
  const policies = Object.values(PRESETS);
  return {
    ...ENDPOINT,
    id,
    tenant,
    url: `https://hooks.customer-${number}.example.com/webhooks/posthorn/incoming`,
    event_types: ['invoice.paid', 'invoice.created', 'customer.*'],
    retry_policy: policies[number % policies.length],
    secrets: [{ sealed: sealer.seal(randomBytes(32), sealingContext(tenant, id, 'secret')), expires_at: null }],
  };
}

function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it(`given ${MANY} endpoints at rest, then each takes at most ${MOST_BYTES} bytes of heap and external memory`, () => {
  const table = new MemoryTable();
  const directory = new EndpointDirectory(table.client, sealer, new Health(), new GenerationMarkers(), {
    openBytes: 1_048_576,
  });
  const register = (count: number) => {
    for (let number = 0; number < count; number++) {
      const id = newId('ep');
      table.write(id, usualRecord(id, number), 1);
    }
  };
  // Compiled code counts, too.
  register(2_000);
  const before = liveBytes();
  register(MANY);
  expect((liveBytes() - before) / MANY).toBeLessThan(MOST_BYTES);
  expect(directory.find('ep_unknown')).toBeUndefined();
});
