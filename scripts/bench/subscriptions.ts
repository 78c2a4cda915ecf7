import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { appNode } from '../lib/node-binary.mjs';
import type { Shape } from './subscriptions/endpoints.ts';

const SCRIPT = fileURLToPath(new URL('./subscriptions/process.ts', import.meta.url));
/** As the apps, but with room for a process that needs more than they may. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=16', '--heap-growing-percent=50', '--max-old-space-size=4096'];

/** Bounds: bytes of an endpoint with 20 patterns, and the first lookup of a type. */
const MOST_BYTES = 500;
const MOST_NEW_TYPE_US = 20;

const USUAL: Shape = { endpoints: 100_000, tenants: 1_000, patterns: 20, families: 50, lists: 'different' };

/** Here the texts alone take more than the bound. */
const OWN_TYPES = '20 000 endpoints, own types';
const MEMORY: Readonly<Record<string, Shape>> = {
  '1 tenant': { ...USUAL, tenants: 1 },
  '1000 tenants': USUAL,
  '50 000 tenants': { ...USUAL, tenants: 50_000 },
  '1000 tenants, 5000 types': { ...USUAL, families: 500 },
  '50 000 tenants, equal lists': { ...USUAL, tenants: 50_000, lists: 'equal' },
  [OWN_TYPES]: { ...USUAL, endpoints: 20_000, lists: 'own' },
};

const WIDE: Shape = { endpoints: 2_000, tenants: 1, patterns: 100, families: 500, lists: 'different' };
const NEW_TYPES: Readonly<Record<string, Shape>> = {
  '2000 × 100 of 5000 types': WIDE,
  '2000 × 100 of 50 000 types': { ...WIDE, families: 5_000 },
};

const KNOWN_TYPES: Readonly<Record<string, Shape>> = {
  '1 endpoint': { endpoints: 1, tenants: 1, patterns: 3, families: 1, lists: 'different' },
  '5 endpoints': { endpoints: 5, tenants: 1, patterns: 5, families: 5, lists: 'equal' },
  '100 000 endpoints, 50 000 tenants': { ...USUAL, tenants: 50_000 },
};

const CHANGES: Readonly<Record<string, Shape>> = { '2000 × 100 of 5000 types': WIDE, '100 000 × 20': USUAL };

interface Memory {
  readonly bytesPerEndpoint: number;
  readonly putUs: number;
}
interface Lookup {
  readonly us: number;
  /** Endpoints found, on average. */
  readonly endpoints: number;
}
type NewTypes = Readonly<Record<'taken' | 'unknown', Lookup>>;
interface Change {
  readonly putUs: number;
  readonly lookupUs: number;
}
type Changes = Readonly<Record<'same' | 'other', Change>>;
interface Reading {
  /** To verify a record by its own signature, and by that of its group. */
  readonly aloneUs: number;
  readonly groupUs: number;
  readonly decodeUs: number;
}

/**
 * Measures the router's index of endpoints: memory, lookups and changes; and reading a record of the topic.
 *
 * @returns whether memory and new types stay within their bounds
 */
export async function run(): Promise<boolean> {
  const memory = await each<Memory>('memory', MEMORY);
  for (const [scene, { bytesPerEndpoint, putUs }] of memory) {
    line(scene, `${bytesPerEndpoint.toFixed(0)} bytes per endpoint, indexed in ${putUs.toFixed(1)} µs`);
  }
  const newTypes = await each<NewTypes>('newTypes', NEW_TYPES);
  for (const [scene, { taken, unknown }] of newTypes) {
    line(scene, `new type ${taken.us.toFixed(2)} µs (finds ${taken.endpoints.toFixed(0)} endpoints)`);
    line('', `type that no endpoint takes ${unknown.us.toFixed(2)} µs`);
  }
  const knownTypes = await each<Lookup>('knownTypes', KNOWN_TYPES);
  for (const [scene, { us, endpoints }] of knownTypes) {
    line(scene, `known type ${(us * 1_000).toFixed(0)} ns (finds ${endpoints.toFixed(1)})`);
  }
  const changes = await each<Changes>('changes', CHANGES);
  for (const [scene, { same, other }] of changes) {
    line(scene, `change ${same.putUs.toFixed(1)} µs, of all patterns ${other.putUs.toFixed(1)} µs`);
    line('', `lookup after it ${same.lookupUs.toFixed(1)} and ${other.lookupUs.toFixed(1)} µs`);
  }
  const reading = await measure<Reading>('reading', USUAL);
  line('a record', `verified in ${reading.groupUs.toFixed(1)} µs by its group, ${reading.aloneUs.toFixed(1)} µs alone`);
  line('', `decoded in ${reading.decodeUs.toFixed(1)} µs`);
  console.log(JSON.stringify({ memory, newTypes, knownTypes, changes, reading }));
  return (
    memory.every(([scene, { bytesPerEndpoint }]) => scene === OWN_TYPES || bytesPerEndpoint <= MOST_BYTES) &&
    newTypes.every(([, { taken, unknown }]) => Math.max(taken.us, unknown.us) < MOST_NEW_TYPE_US)
  );
}

async function each<Result>(kind: string, scenes: Readonly<Record<string, Shape>>): Promise<[string, Result][]> {
  const results: [string, Result][] = [];
  for (const [scene, shape] of Object.entries(scenes)) results.push([scene, await measure<Result>(kind, shape)]);
  return results;
}

async function measure<Result>(kind: string, shape: Shape): Promise<Result> {
  const { stdout } = await promisify(execFile)(appNode(), [...FLAGS, SCRIPT, kind, JSON.stringify(shape)]);
  return JSON.parse(stdout);
}

function line(scene: string, text: string): void {
  console.log(`  ${scene.padEnd(36)} ${text}`);
}
