import { generateKeyPairSync } from 'node:crypto';
import { type EndpointRecord, readEndpoint } from '#common/records/endpoint-record.js';
import { RecordSigner, RecordVerifier, type SignableRecord } from '#common/security/record-signature.js';
import { Subscriptions } from '#ingest/router/subscriptions/subscriptions.js';
import { endpointId, endpointOf, endpointValue, numbers, type Shape, tenantName, typeOf } from './endpoints.ts';

/*
 * One measurement in a process of its own: `<kind> <shape as JSON>`. Requires `--expose-gc`. Prints one line of JSON.
 */

const AT_ONCE = 1_000;
const LOOKUPS = 100_000;
/** The least of them counts: other processes take the caches, too. */
const ROUNDS = 7;
const NEW_TYPES = 300;
/** Lookups until V8 has compiled them, of another index. */
const WARM_TYPES = 10_000;
const WARM_FAMILIES = 20;
const CHANGES = 1_000;
const SIGNED = 3_000;
const CHECKED_AT_ONCE = 64;

const [kind = '', text = ''] = process.argv.slice(2);
const shape: Shape = JSON.parse(text);
/** CPU of all threads, in µs: other processes of the machine do not count. */
function cpuUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

function cpuUsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return cpuUs(before);
}

function usedBytes(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function filled() {
  const subscriptions = new Subscriptions();
  let us = 0;
  for (let from = 0; from < shape.endpoints; from += AT_ONCE) {
    const length = Math.min(AT_ONCE, shape.endpoints - from);
    const records = Array.from({ length }, (_, place) => endpointOf(from + place, shape));
    us += cpuUsOf(() => {
      for (const record of records) subscriptions.put(record);
    });
  }
  return { subscriptions, putUs: us / shape.endpoints };
}

/** Bytes of heap and external memory for each endpoint, and the time to index one. */
function memory() {
  filled();
  const before = usedBytes();
  const { subscriptions, putUs } = filled();
  const bytesPerEndpoint = (usedBytes() - before) / shape.endpoints;
  // Keeps it alive until here.
  if (subscriptions.size !== shape.endpoints) throw new Error('endpoints are missing');
  return { bytesPerEndpoint, putUs };
}

/** The first lookup of types that endpoints take, and of types that no endpoint takes. */
function newTypes() {
  const { subscriptions: warm } = filled();
  const { subscriptions } = filled();
  for (let place = 0; place < WARM_TYPES; place++) {
    warm.matching('tenant-0', typeOf(place % WARM_FAMILIES, Math.floor(place / WARM_FAMILIES) % 10));
  }
  const random = numbers(3);
  const taken = new Set<string>();
  while (taken.size < NEW_TYPES * ROUNDS) taken.add(typeOf(random(shape.families), random(10)));
  const unknown = Array.from({ length: NEW_TYPES * ROUNDS }, (_, place) => `shop.item-${place}.sold`);
  const measured = (types: readonly string[]) => {
    let endpoints = 0;
    const rounds = Array.from({ length: ROUNDS }, (_, round) =>
      cpuUsOf(() => {
        const ofRound = types.slice(round * NEW_TYPES, (round + 1) * NEW_TYPES);
        for (const type of ofRound) endpoints += subscriptions.matching('tenant-0', type).length;
      }),
    );
    return { us: Math.min(...rounds) / NEW_TYPES, endpoints: endpoints / types.length };
  };
  return { taken: measured([...taken]), unknown: measured(unknown) };
}

/** Lookups of types that were looked up before. The texts are new, as those of parsed events. */
function knownTypes() {
  const { subscriptions } = filled();
  const random = numbers(7);
  let endpoints = 0;
  const rounds = Array.from({ length: ROUNDS }, () => {
    const events = Array.from({ length: LOOKUPS }, () => ({
      tenant: Buffer.from(tenantName(random(shape.endpoints), shape)).toString(),
      type: Buffer.from(typeOf(random(Math.min(shape.families, 5)), random(10))).toString(),
    }));
    endpoints = 0;
    return cpuUsOf(() => {
      for (const { tenant, type } of events) endpoints += subscriptions.matching(tenant, type).length;
    });
  });
  return { us: Math.min(...rounds) / LOOKUPS, endpoints: endpoints / LOOKUPS };
}

/** A change of an endpoint, with and without a change of its patterns, and the lookup of a known type after it. */
function changes() {
  const { subscriptions } = filled();
  const type = typeOf(0, 0);
  const measured = (records: readonly EndpointRecord[]) => {
    const putUs = cpuUsOf(() => {
      for (const record of records) subscriptions.put(record);
    });
    const bothUs = cpuUsOf(() => {
      for (const record of records) {
        subscriptions.put(record);
        subscriptions.matching(record.tenant, type);
      }
    });
    return { putUs: putUs / CHANGES, lookupUs: Math.max(0, bothUs - putUs) / CHANGES };
  };
  const changed = (version: number, other: number) =>
    Array.from({ length: CHANGES }, (_, place): EndpointRecord => {
      const index = place % shape.endpoints;
      const { event_types } = endpointOf(index + (place % 2) * other, shape);
      return { ...endpointOf(index, shape, version), event_types };
    });
  return { same: measured(changed(2, 0)), other: measured(changed(3, 1)) };
}

/** Reading a record of the topic: its signature, alone or of its group, and its decoding. */
async function reading() {
  const seed = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const signer = new RecordSigner(`bench:${seed.toString('base64')}`);
  const verifier = new RecordVerifier(signer.publicKey);
  const records = Array.from({ length: SIGNED }, (_, index) => ({
    topic: 'endpoints',
    key: endpointId(index),
    value: endpointValue(index, shape),
  }));
  const verified = async (signed: readonly SignableRecord[]) => {
    const before = process.cpuUsage();
    for (let from = 0; from < SIGNED; from += CHECKED_AT_ONCE) {
      await Promise.all(signed.slice(from, from + CHECKED_AT_ONCE).map((record) => verifier.check(record)));
    }
    return cpuUs(before) / SIGNED;
  };
  const aloneUs = await verified(await Promise.all(records.map((record) => signer.sign(record))));
  const groupUs = await verified(await signer.signAll(records));
  const decodeUs = cpuUsOf(() => {
    for (const { key, value } of records) readEndpoint(key, value);
  });
  return { aloneUs, groupUs, decodeUs: decodeUs / SIGNED };
}

const KINDS: Readonly<Record<string, () => unknown>> = { memory, newTypes, knownTypes, changes, reading };
process.stdout.write(JSON.stringify(await KINDS[kind]?.()));
