import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { register } from 'prom-client';
import { Deletions } from '#common/collections/deletions.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { Health } from '#common/observability/health.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { Sealer, sealingContext } from '#common/security/sealing.js';
import { ENDPOINT } from '../../../../test/support/endpoint-record.js';
import { MemoryTable } from '../../../../test/support/memory-table.js';
import { EndpointDirectory } from './endpoint-directory.js';
import { openedEndpoints } from './metrics.js';
import { type Endpoint, unsealed } from './unsealed-endpoint.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OWN = keyText('own');
const FOREIGN = new Sealer(keyText('foreign'));
/** Seals under the id of the own key, with other bytes. */
const IMPOSTOR = new Sealer(keyText('own'));
const NOW = 1_000_000;
/** Room for seven open endpoints at most. */
const FEW_BYTES = 20_000;

const sealer = new Sealer(OWN);

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
});

afterEach(() => {
  jest.useRealTimers();
});

function started({ openBytes = FEW_BYTES } = {}) {
  register.clear();
  const table = new MemoryTable();
  const health = new Health();
  const directory = new EndpointDirectory(table.client, sealer, health, new GenerationMarkers(), { openBytes });
  const changed: string[] = [];
  directory.onChange((id) => changed.push(id));
  directory.onModuleInit();
  const secretKeys = () => health.ready().checks.secret_keys;
  return { table, directory, changed, secretKeys };
}

async function gauge(name: string): Promise<number> {
  const metric = await register.getSingleMetric(name)?.get();
  return metric?.values[0]?.value ?? Number.NaN;
}

async function opened(): Promise<number> {
  return (await openedEndpoints.get()).values[0]?.value ?? 0;
}

type Seal = 'own' | 'foreign' | 'impostor' | 'malformed';

function sealedText(seal: Seal, id: string, purpose: 'secret' | 'headers'): string {
  if (seal === 'malformed') return 'plain';
  const plain = purpose === 'secret' ? Buffer.alloc(32, id) : Buffer.from(`{"x-id":"${id}"}`);
  return { own: sealer, foreign: FOREIGN, impostor: IMPOSTOR }[seal].seal(plain, sealingContext('acme', id, purpose));
}

interface Shape {
  readonly secrets: readonly { readonly seal: Seal; readonly expiresInMs: number | null }[];
  readonly headers: Seal | null;
  readonly over: Partial<EndpointRecord>;
}

const NOTHING_SPECIAL: Shape = { secrets: [{ seal: 'own', expiresInMs: null }], headers: null, over: {} };

function recordOf(id: string, version: number, { secrets, headers, over }: Shape): EndpointRecord {
  return {
    ...ENDPOINT,
    id,
    version,
    secrets: secrets.map(({ seal, expiresInMs }) => ({
      sealed: sealedText(seal, id, 'secret'),
      expires_at: expiresInMs === null ? null : NOW + expiresInMs,
    })),
    headers_sealed: headers === null ? null : sealedText(headers, id, 'headers'),
    ...over,
  };
}

/** The directory as it is meant: every endpoint stays open from its record on, and nothing is saved. */
class SimpleDirectory {
  readonly endpoints = new Map<string, Endpoint>();
  readonly deletions = new Deletions(100, MAX_VERSION);

  put(record: EndpointRecord): void {
    const { id, version } = record;
    if (version < (this.endpoints.get(id)?.record.version ?? 0) || this.deletions.covers(id, version)) return;
    try {
      this.endpoints.set(id, unsealed(record, sealer, Date.now()).endpoint);
      this.deletions.remove(id);
    } catch {
      // Its former configuration stays.
    }
  }

  delete(id: string, version: number | undefined): void {
    if (version !== undefined && version < (this.endpoints.get(id)?.record.version ?? 0)) return;
    this.endpoints.delete(id);
    this.deletions.add(id, version);
  }

  /** Secrets that expire need no key. */
  reopen(): void {
    for (const [id, { record, missingKeys }] of this.endpoints) {
      if (missingKeys.length > 0) this.endpoints.set(id, unsealed(record, sealer, Date.now()).endpoint);
    }
  }

  halfOpen(): string[] {
    return [...this.endpoints].filter(([, { record }]) => record.breaker === 'half_open').map(([id]) => id);
  }

  /** How many different retry policies the endpoints have. */
  get policies(): number {
    return new Set([...this.endpoints.values()].map(({ record }) => JSON.stringify(record.retry_policy))).size;
  }

  get keyMissing(): number {
    return [...this.endpoints.values()].filter(({ missingKeys }) => missingKeys.length > 0).length;
  }
}

/** What matters of an endpoint: secrets that have expired are not signed with. */
function shown(endpoint: Endpoint | undefined) {
  if (endpoint === undefined) return undefined;
  const { record, keys, staticHeaders, missingKeys } = endpoint;
  const { event_types: _types, ...dispatched } = record as EndpointRecord;
  const signing = keys
    .filter(({ expiresAt }) => expiresAt === undefined || expiresAt > Date.now())
    .map(({ key, expiresAt }) => ({ bytes: key.bytes.export().toString('hex'), expiresAt }));
  return { record: dispatched, signing, staticHeaders, missingKeys: [...missingKeys].sort() };
}

const IDS = Array.from({ length: 12 }, (_, number) => `ep_${number}`);
const seals = fc.constantFrom<Seal>('own', 'own', 'own', 'foreign', 'impostor', 'malformed');
const policies = fc.constantFrom(ENDPOINT.retry_policy, {
  delaysMs: [1, 2.5],
  jitter: 'full' as const,
  capMs: 7,
  permanentStatuses: [404],
});
const shapes: fc.Arbitrary<Shape> = fc.record({
  secrets: fc.array(fc.record({ seal: seals, expiresInMs: fc.constantFrom(null, -1, 0, 1_500, 4_000) }), {
    maxLength: 3,
  }),
  headers: fc.option(seals, { nil: null }),
  over: fc.record(
    {
      enabled: fc.boolean(),
      paused: fc.boolean(),
      breaker: fc.constantFrom('closed' as const, 'open' as const, 'half_open' as const),
      retry_policy: policies,
      max_per_second: fc.constantFrom(null, 0.5),
      url: fc.webUrl(),
    },
    { requiredKeys: [] },
  ),
});
const versions = fc.integer({ min: 1, max: 4 });
const steps = fc.oneof(
  fc.record({ type: fc.constant('put' as const), id: fc.constantFrom(...IDS), version: versions, shape: shapes }),
  fc.record({
    type: fc.constant('delete' as const),
    id: fc.constantFrom(...IDS),
    version: fc.option(versions, { nil: undefined }),
  }),
  fc.record({ type: fc.constant('find' as const), id: fc.constantFrom(...IDS) }),
  fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }),
);

describe('EndpointDirectory', () => {
  it('given any records, deletions, uses and time, then it answers as if every endpoint were kept open', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 60, size: 'max' }), async (all) => {
        jest.setSystemTime(NOW);
        const simple = new SimpleDirectory();
        const { table, directory } = started();
        for (const step of all) {
          if (step.type === 'put') {
            const record = recordOf(step.id, step.version, step.shape);
            table.write(step.id, record, step.version);
            simple.put(record);
          } else if (step.type === 'delete') {
            table.write(step.id, null, step.version);
            simple.delete(step.id, step.version);
          } else if (step.type === 'wait') {
            // Both look at whole seconds.
            jest.advanceTimersByTime(Math.ceil(step.ms / 1_000) * 1_000);
            simple.reopen();
          } else expect(shown(directory.find(step.id))).toEqual(shown(simple.endpoints.get(step.id)));
          for (const id of IDS) expect(directory.recordOf(id)).toEqual(shown(simple.endpoints.get(id))?.record);
          expect([...directory.halfOpen()].sort()).toEqual(simple.halfOpen().sort());
        }
        for (const id of IDS) {
          expect(shown(directory.find(id))).toEqual(shown(simple.endpoints.get(id)));
          expect(directory.wasDeleted(id)).toBe(simple.deletions.has(id));
        }
        expect(await gauge('posthorn_endpoints_key_missing')).toBe(simple.keyMissing);
        expect(await gauge('posthorn_endpoints_known')).toBe(simple.endpoints.size);
        expect(await gauge('posthorn_endpoint_policies')).toBe(simple.policies);
        expect(await gauge('posthorn_endpoints_open_bytes')).toBeLessThanOrEqual(FEW_BYTES);
        await directory.onModuleDestroy();
      }),
    );
  });

  it('given more endpoints in use than may be open, then the bound holds, and each is opened again when it is used', async () => {
    const before = await opened();
    const { table, directory } = started({ openBytes: 65_536 });
    const ids = Array.from({ length: 200 }, (_, number) => `ep_${number}`);
    for (const id of ids) table.write(id, recordOf(id, 1, NOTHING_SPECIAL), 1);
    for (const _round of [1, 2]) {
      for (const id of ids)
        expect(shown(directory.find(id))?.signing[0]?.bytes).toBe(Buffer.alloc(32, id).toString('hex'));
    }
    expect(await gauge('posthorn_endpoints_open_bytes')).toBeLessThanOrEqual(65_536);
    expect(await gauge('posthorn_endpoints_open')).toBeGreaterThan(5);
    expect((await opened()) - before).toBeGreaterThanOrEqual(2 * ids.length - 30);
  });

  it('given an endpoint in use, then it is opened once, and again after a change', () => {
    const { table, directory, changed } = started();
    table.write('ep_1', recordOf('ep_1', 1, NOTHING_SPECIAL), 1);
    const before = directory.find('ep_1');
    expect(directory.find('ep_1')).toBe(before);
    table.write('ep_1', recordOf('ep_1', 2, { ...NOTHING_SPECIAL, over: { paused: true } }), 2);
    expect(directory.find('ep_1')).toMatchObject({ record: { version: 2, paused: true } });
    expect(changed).toEqual(['ep_1', 'ep_1']);
  });

  it('given another key under the id in use, then every endpoint of it counts before any is used, and the process does not start', async () => {
    const { table, directory, secretKeys } = started();
    let isReady = false;
    void directory.ready.then(() => {
      isReady = true;
    });
    const wrong: Shape = { ...NOTHING_SPECIAL, secrets: [{ seal: 'impostor', expiresInMs: null }] };
    for (const id of IDS) table.write(id, recordOf(id, 1, wrong), 1);
    table.complete();
    await jest.advanceTimersByTimeAsync(10);
    expect(secretKeys()).toBe('the key "own" of SECRET_KEYS does not open secrets, which 12 endpoints need');
    expect(isReady).toBe(false);

    for (const id of IDS) table.write(id, null, 2);
    await jest.advanceTimersByTimeAsync(10);
    expect({ isReady, secretKeys: secretKeys() }).toEqual({ isReady: true, secretKeys: 'ok' });
  });

  it('given a key that is not there, then it is known before any endpoint is used', async () => {
    const { table, secretKeys } = started();
    table.write('ep_1', recordOf('ep_1', 1, NOTHING_SPECIAL), 1);
    const shape: Shape = { ...NOTHING_SPECIAL, secrets: [{ seal: 'foreign', expiresInMs: null }] };
    table.write('ep_2', recordOf('ep_2', 1, shape), 1);
    table.complete();
    expect(secretKeys()).toBe('SECRET_KEYS does not name the key "foreign", which 1 endpoint needs');
    expect(await gauge('posthorn_endpoints_key_missing')).toBe(1);
  });

  it('given a damaged text under a key that is right, then it is found at the first use, and the process starts', async () => {
    const { table, directory, secretKeys } = started();
    table.write('ep_1', recordOf('ep_1', 1, NOTHING_SPECIAL), 1);
    const shape: Shape = { ...NOTHING_SPECIAL, secrets: [{ seal: 'impostor', expiresInMs: null }] };
    table.write('ep_2', recordOf('ep_2', 1, shape), 1);
    table.complete();
    await directory.ready;
    expect(secretKeys()).toBe('ok');
    expect(directory.find('ep_2')?.missingKeys).toEqual(['own']);
    expect(secretKeys()).toBe('the key "own" of SECRET_KEYS does not open secrets, which 1 endpoint needs');
  });

  it('given headers that are not what was sealed, then the endpoint holds as with a missing key', () => {
    const { table, directory } = started();
    const headers_sealed = sealer.seal(Buffer.from('{'), sealingContext('acme', 'ep_1', 'headers'));
    table.write('ep_1', recordOf('ep_1', 1, { ...NOTHING_SPECIAL, over: { headers_sealed } }), 1);
    expect(directory.find('ep_1')?.missingKeys).toEqual(['own']);
  });
});
