import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { SetAside } from '#common/postgres/persist-batch.js';
import { DEAD_HEADERS } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import type { EndpointRecord } from '#common/records/endpoint-record.js';
import { DOOR_HEADER } from '#common/records/event-record.js';
import { ABOUT_HEADER } from '#common/records/operational-event.js';
import type { InRecord } from '#common/records/record.js';
import { type BatchContext, classifyBatch, type QueuedRecord, settle } from './batch.js';

/** With one partition in the topic, no record is misplaced. */
const log = (partition: number) => ({ topic: 'ingest', partition, partitions: 1 }) as OwnedLog;
const endpoint = (id: string, over: Partial<EndpointRecord> = {}) =>
  ({ id, ordering: 'resource', payload: 'full', ...over }) as EndpointRecord;

function context(...endpoints: EndpointRecord[]): BatchContext {
  return {
    positionOf: ({ record }) => record.offset,
    matching: () => endpoints,
    maxEventBytes: 1_024,
    maxBatchBytes: 1_048_576,
    nowMs: 5_000,
  };
}

function queued(
  partition: number,
  offset: number,
  value: string | null,
  headers: InRecord['headers'] = {},
): QueuedRecord {
  const record: InRecord = {
    topic: 'ingest',
    partition,
    offset,
    timestamp: 1_767_225_600_000,
    key: null,
    value: value === null ? null : Buffer.from(value),
    headers,
  };
  return { log: log(partition), record, bytes: 0 };
}
const event = (partition: number, offset: number, id: string) =>
  queued(partition, offset, `{"id":"${id}","type":"a","data":1}`);
const offsetsOf = (batch: ReturnType<typeof classifyBatch>) =>
  batch.rounds.map((round) => round.map(({ archived }) => archived.event.position));

describe('classifyBatch', () => {
  it('given distinct ids, then one round has all events', () => {
    expect(offsetsOf(classifyBatch([event(0, 1, 'a'), event(1, 2, 'b')], context()))).toEqual([[1, 2]]);
  });

  it('given an id twice on one partition, then the second is a duplicate, in no round', () => {
    const batch = classifyBatch([event(0, 1, 'a'), event(0, 2, 'a')], context());
    expect(offsetsOf(batch)).toEqual([[1]]);
    expect(batch.routedRecords[1]).toMatchObject({ result: 'duplicate', records: [] });
  });

  it('given an id on three partitions, then each partition has a round', () => {
    const batch = classifyBatch([event(2, 1, 'a'), event(0, 2, 'a'), event(2, 3, 'a'), event(1, 4, 'a')], context());
    expect(offsetsOf(batch)).toEqual([[1], [2], [4]]);
  });

  it('given the same id of two tenants, then they are two events', () => {
    const other = queued(0, 2, '{"id":"a","type":"a","tenant":"other","data":1}');
    expect(offsetsOf(classifyBatch([event(0, 1, 'a'), other], context()))).toEqual([[1, 2]]);
  });

  it('given an operational event, then the router matches subscriptions with the endpoint of the event', () => {
    const asked: unknown[] = [];
    const matching: BatchContext['matching'] = (...question) => {
      asked.push(question);
      return [];
    };
    const record = queued(0, 1, '{"id":"a","type":"endpoint.disabled","data":1}', {
      [ABOUT_HEADER]: Buffer.from('ep_1'),
    });
    const batch = classifyBatch([record, event(0, 2, 'b')], { ...context(), matching });
    expect(asked).toEqual([
      ['default', 'endpoint.disabled', 'ep_1'],
      ['default', 'a', undefined],
    ]);
    expect(batch.routedRecords.map(({ door }) => door)).toEqual(['control', 'kafka']);
  });

  it('given poison between events, then only the poison record goes to dlq, in order', () => {
    const batch = classifyBatch([event(0, 1, 'a'), queued(0, 2, null), event(0, 3, 'b')], context());
    expect(offsetsOf(batch)).toEqual([[1, 3]]);
    expect(batch.routedRecords.map(({ result }) => result)).toEqual(['duplicate', 'poison', 'duplicate']);
    expect(batch.routedRecords[1]?.records).toMatchObject([
      {
        topic: 'dlq',
        key: null,
        value: null,
        headers: { 'posthorn-dead-reason': 'payload_error', 'posthorn-dead-source': 'ingest/0/2' },
      },
    ]);
  });

  it('given no time, then occurred_at is the timestamp of the record', () => {
    const [[first] = []] = classifyBatch([event(0, 1, 'a')], context()).rounds;
    expect(first?.archived).toMatchObject({
      occurredAtMs: 1_767_225_600_000,
      event: { occurredAt: '2026-01-01T00:00:00.000Z', acceptedAt: 1_767_225_600_000 },
    });
  });

  it('given the door header of the API, then the door is http', () => {
    const headers = { [DOOR_HEADER]: Buffer.from('http') };
    const batch = classifyBatch([queued(0, 1, '{"id":"1","type":"a","data":1}', headers), event(0, 2, 'b')], context());
    expect(batch.routedRecords.map(({ door }) => door)).toEqual(['http', 'kafka']);
  });
});

describe('settle', () => {
  const given = () => {
    const value = '{"id":"evt_1","type":"a.b","tenant":"acme","resource_id":"r","data":{"n":1.0}}';
    const about = context(endpoint('ep_1'), endpoint('ep_2', { payload: 'thin', ordering: 'none' }));
    const batch = classifyBatch([queued(0, 42, value)], about);
    const [[candidate] = []] = batch.rounds;
    if (candidate === undefined) throw new Error('no candidate');
    return { candidate, about };
  };

  it.each(['fresh', 'redelivered'] as const)('given a %s event, then each endpoint gets its delivery', (novelty) => {
    const { candidate, about } = given();
    settle(candidate, novelty, about);
    const [full, thin] = candidate.routed.records;
    expect(candidate.routed.result).toBe(novelty);
    expect(full).toMatchObject({ topic: 'deliveries', key: 'ep_1:r' });
    expect(String(full?.value)).toBe(
      '{"id":"evt_1","type":"a.b","occurred_at":"2026-01-01T00:00:00.000Z","sequence":42,"resource_id":"r","data":{"n":1.0}}',
    );
    expect(String(thin?.value)).not.toContain('data');
    const meta = decodeDelivery(thin?.headers?.[DELIVERY_HEADER]);
    expect(meta).toMatchObject({ eventId: 'evt_1', endpointId: 'ep_2', tenant: 'acme', attempt: 0, replay: 0 });
    expect(meta?.acceptedAt).toBe(1_767_225_600_000);
    expect(thin?.key).toBe(meta?.deliveryId);
  });

  it('given a duplicate, then no record is written', () => {
    const { candidate, about } = given();
    settle(candidate, 'duplicate', about);
    expect(candidate.routed).toMatchObject({ result: 'duplicate', records: [] });
  });

  it('given an event that the database rejects, then the event goes to dlq', () => {
    const { candidate, about } = given();
    settle(candidate, new SetAside(new Error('no such character'), 'row'), about);
    expect(candidate.routed).toMatchObject({ result: 'poison', records: [{ topic: 'dlq' }] });
    expect(String(candidate.routed.records[0]?.headers?.[DEAD_HEADERS.detail])).toContain('no such character');
  });
});
