import { Positions } from '#common/domain/positions.js';
import { TIERS } from '#common/domain/tier.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { encodeProduce } from '#common/kafka/kafkajs/wire/produce-request.js';
import type { FencedLog } from '#common/kafka/port/owned-log.js';
import { readApiKey } from '#common/records/api-key-record.js';
import { decodeAttempt } from '#common/records/attempt-record.js';
import { CHANGE_HEADER, decodeChange } from '#common/records/configuration-change.js';
import type { DeliveryMeta } from '#common/records/delivery-record.js';
import { readEndpoint } from '#common/records/endpoint-record.js';
import { MAX_LANE_BYTES } from '#common/records/limits.js';
import { isMarkerKey, SEQUENCE_MARKER } from '#common/records/marker.js';
import { poisonRecord } from '#common/records/poison-record.js';
import type { InRecord, OutRecord } from '#common/records/record.js';
import { maxBatchBytes } from '#common/records/topics.js';
import { projectAttempts, projectDeadLetter } from '../../../apps/control/src/projector/projection.js';
import { readDelivery } from '../../../apps/dispatcher/src/deliveries/delivery.js';
import { parkedRecord, unparked } from '../../../apps/dispatcher/src/lanes/parked-record.js';
import { classifyBatch, settle } from '../../../apps/ingest/src/router/batch.js';
import { readWaiting, returnOf } from '../../../apps/retry-scheduler/src/waiting.js';
import { ENDPOINT } from '../endpoint-record.js';
import { BROKEN_VALUES, recordsWithManyHeaders, strangeRecords } from './corpus.js';
import { recordsOutOfRange } from './out-of-range.js';
import { asRead } from './strange-record.js';

const SEED = Number(process.env.POSTHORN_SEED ?? Date.now() % 1_000_000);
const NOW = 1_790_000_000_000;
const CAST = { endpointIds: ['ep_parked', 'ep_open', 'ep_none'], nowMs: NOW };
const MAX_EVENT_BYTES = 262_144;
const MAX_BATCH = maxBatchBytes(MAX_EVENT_BYTES);
const LOG = { topic: 'any', partition: 0, partitions: 1 } as unknown as FencedLog;
const TIER_TOPICS: readonly string[] = TIERS.map(({ topic }) => topic);

const all = strangeRecords({ seed: SEED, cast: CAST, each: 200 });
const manyHeaders = recordsWithManyHeaders(['ingest', 'deliveries', 'retry-4s', 'dlq']);

/** Runs an app's code for a record, from reading up to the records to write. */
function read(record: InRecord): void {
  const { topic } = record;
  if (topic === 'ingest') route(record);
  else if (topic === 'deliveries') deliver(record);
  else if (TIER_TOPICS.includes(topic)) wait(record);
  else if (topic === 'attempts') projectAttempts([record]).attempts.forEach(expectStorable);
  else if (topic === 'dlq') expectRow(record);
  else configure(record);
}

function route(record: InRecord): void {
  const context = {
    matching: () => [ENDPOINT],
    positionOf: () => record.offset,
    maxEventBytes: MAX_EVENT_BYTES,
    maxBatchBytes: MAX_BATCH,
    nowMs: NOW,
  };
  const { routedRecords, rounds } = classifyBatch([{ log: LOG, record, bytes: 0 }], context);
  for (const candidate of rounds.flat()) {
    expectStorable(candidate.archived.event);
    settle(candidate, 'fresh', context);
  }
  for (const { records } of routedRecords) expectWritable(records);
}

function deliver(record: InRecord): void {
  const delivery = readDelivery(LOG, record, {
    positions: new Positions(0),
    maxBatchBytes: MAX_BATCH,
    replayProblem: () => undefined,
  });
  if ('detail' in delivery) {
    expectWritable([poisonRecord(record, delivery.detail, NOW, MAX_BATCH)]);
    return;
  }
  expectMeta(delivery.meta, delivery.lane);
  const row = parkedRecord(delivery, { lane: delivery.lane, place: 1, attempt: 0, reason: 'head', now: NOW });
  expect(JSON.stringify(row.extraHeaders)).not.toMatch(/\\u0000|[^\x20-\x7e]/);
  expect(unparked(LOG, row)).toMatchObject({ body: delivery.body, meta: { eventId: delivery.meta.eventId } });
}

function wait(record: InRecord): void {
  const waiting = readWaiting(LOG, record, { readAt: NOW, maxBatchBytes: MAX_BATCH });
  if (typeof waiting === 'string') {
    expectWritable([poisonRecord(record, waiting, NOW, MAX_BATCH)]);
    return;
  }
  expectMeta(waiting.meta, waiting.key.toString());
  expectWritable([returnOf(waiting)]);
}

function expectRow(record: InRecord): void {
  const { deadLetter, delivery } = projectDeadLetter(record);
  const { key: _key, value: _value, headers, ...columns } = deadLetter;
  expect(headers).not.toMatch(/\\u0000|[^\x20-\x7e]/);
  expectStorable(columns);
  if (delivery) expectStorable(delivery);
}

/** Readers of configuration throw, with a reason that fits into a log line. */
function configure({ topic, key, value }: InRecord): void {
  if (value === null) return;
  try {
    if (topic === 'endpoints') expectStorable(readEndpoint(String(key), value));
    else expectStorable(readApiKey(String(key), value));
  } catch (error) {
    expect((error as Error).message.length).toBeLessThanOrEqual(500);
  }
}

function expectMeta(meta: DeliveryMeta, lane: string): void {
  expectStorable({ ...meta, lane });
  expect(Buffer.byteLength(lane)).toBeLessThanOrEqual(MAX_LANE_BYTES);
  expect(meta.eventId).toMatch(/^[\x20-\x7e]{1,256}$/);
}

/** PostgreSQL has no NUL and no lone surrogate, and no text for times after 9999; its `int` ends at 2^31. */
function expectStorable(fields: object): void {
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string')
      expect([name, value.includes('\0'), value.isWellFormed()]).toEqual([name, false, true]);
    if (value instanceof Date) expect(value.toISOString()).toMatch(/^\d{4}-/);
    if (typeof value !== 'number') continue;
    expect([name, Number.isFinite(value)]).toEqual([name, true]);
    if (/^(attempt|attempts|replay|status_code|last_status_code|version)$/.test(name))
      expect(value).toBeLessThan(2 ** 31);
    if (/At$|_at$|^at$|Until$/.test(name)) expect(new Date(value).toISOString()).toMatch(/^\d{4}-/);
  }
}

function expectWritable(records: readonly OutRecord[]): void {
  for (const record of records) {
    const topicData = [{ topic: record.topic, partitions: [{ partition: 0, records: [record] }] }];
    expect(encodeProduce({ acks: -1, timeout: 1, topicData }, NOW).length).toBeLessThanOrEqual(MAX_BATCH);
  }
}

function isRejected(use: () => void): boolean {
  try {
    use();
    return false;
  } catch {
    return true;
  }
}

describe(`strange records of seed ${SEED} (POSTHORN_SEED)`, () => {
  const topics = [...new Set(all.map(({ topic }) => topic))];

  it('given a seed, then the records are the same', () => {
    const shown = () => strangeRecords({ seed: SEED, cast: CAST, each: 3 }).map(({ name, key }) => `${name} ${key}`);
    expect(shown()).toEqual(shown());
    expect(topics).toHaveLength(14);
  });

  it.each(topics)('given records of %s, then none throws, and the results can be stored and written', (topic) => {
    const ofTopic = all.filter((record) => record.topic === topic);
    expect(ofTopic.length).toBeGreaterThanOrEqual(400);
    ofTopic.forEach((record, offset) => {
      try {
        read(asRead(record, offset));
      } catch (error) {
        throw new Error(`record ${offset}, ${record.name}: ${JSON.stringify(record)}`, { cause: error });
      }
    });
  });

  it('given very many headers, then no reader throws', () => {
    for (const record of manyHeaders) read(asRead(record, 0));
  });

  it('given numbers of configuration records out of range, then every reader rejects each', () => {
    const records = recordsOutOfRange({ endpointId: 'ep_1', apiKeyId: 'k1' });
    expect(records.length).toBeGreaterThan(150);
    for (const [offset, record] of records.entries()) {
      const { topic, key, value, headers } = asRead(record, offset);
      const name = String(key);
      const use = () => {
        decodeChange(headers[CHANGE_HEADER]);
        if (value === null || name === SEQUENCE_MARKER) return;
        if (isMarkerKey(name)) new GenerationMarkers().apply(name, value);
        else if (topic === 'endpoints') readEndpoint(name, value);
        else readApiKey(name, value);
      };
      expect([record.name, isRejected(use)]).toEqual([record.name, true]);
    }
  });

  it('given invalid configuration values, then both readers reject them', () => {
    for (const value of BROKEN_VALUES) {
      expect(() => readEndpoint('ep_1', value)).toThrow();
      expect(() => readApiKey('k1', value)).toThrow();
      expect(decodeAttempt(value)).toHaveProperty('problem');
    }
  });
});
