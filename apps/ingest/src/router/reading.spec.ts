import { partitionOf } from '#common/kafka/port/partitioner.js';
import { deadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, encodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { readRecord } from './reading.js';

const PARTITIONS = 8;
const LIMITS = { partitions: PARTITIONS, maxEventBytes: 1_024, maxBatchBytes: 100_000 };
const NATIVE = '{"id":"evt_1","type":"invoice.paid","resource_id":"inv_1","data":{"a":1}}';
const PACKED = encodeDelivery({
  deliveryId: 'dlv_1',
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  attempt: 4,
  replay: 0,
  acceptedAt: 1,
  returned: false,
  place: 7,
  dueAt: undefined,
  tierUntil: undefined,
});
const DEAD = deadLetterHeaders({
  reason: 'max_retries',
  at: 1,
  detail: undefined,
  lastStatus: 500,
  lastError: undefined,
  source: 'deliveries/0/7',
});

function record(
  key: string | null,
  value: string | null,
  headers: Record<string, string> = {},
  partition?: number,
): InRecord {
  return {
    topic: 'ingest',
    partition: partition ?? partitionOf(key ?? 'inv_1', PARTITIONS),
    offset: 3,
    timestamp: 1_000,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  };
}

describe('readRecord', () => {
  it('given an event whose headers exceed the limits, then it is poison for that reason', () => {
    const cut = { ...record('inv_1', NATIVE), oversized: 'the record has 300 headers' };
    expect(readRecord(cut, LIMITS)).toEqual({ kind: 'poison', detail: 'the record has 300 headers' });
  });

  it('given an event without a tenant, then it belongs to the default tenant', () => {
    const reading = readRecord(record('inv_1', NATIVE), LIMITS);
    expect(reading).toMatchObject({ kind: 'event', tenant: 'default', event: { id: 'evt_1', rawData: '{"a":1}' } });
  });

  it('given an event that names a tenant, then it belongs to that tenant', () => {
    const value = '{"id":"1","type":"a","tenant":"acme","data":1}';
    expect(readRecord(record('1', value), LIMITS)).toMatchObject({ kind: 'event', tenant: 'acme' });
  });

  it.each([
    ['a key of its own', 'customer-7'],
    ['the resource as key', 'inv_1'],
  ])('given %s on another partition, then it is moved with key, value and headers', (_, key) => {
    const partition = (partitionOf(key, PARTITIONS) + 1) % PARTITIONS;
    const found = record(key, NATIVE, { trace: 'x' }, partition);
    expect(readRecord(found, LIMITS)).toEqual({
      kind: 'misplaced',
      out: { topic: 'ingest', key: found.key, value: found.value, headers: found.headers },
    });
  });

  it.each([null, ''])(
    'given the key %j and a resource on another partition, then the resource becomes the key',
    (key) => {
      const partition = (partitionOf('inv_1', PARTITIONS) + 1) % PARTITIONS;
      const found = record(key, NATIVE, {}, partition);
      expect(readRecord(found, LIMITS)).toMatchObject({ kind: 'misplaced', out: { key: 'inv_1' } });
    },
  );

  it('given neither key nor resource, then the event is not misplaced on any partition', () => {
    const found = record(null, '{"id":"1","type":"a","data":1}', {}, 5);
    expect(readRecord(found, LIMITS).kind).toBe('event');
  });

  it('given a malformed event on another partition than its key, then it is poison, with every error', () => {
    const found = record('k', '{"data":1,"x":2}', {}, (partitionOf('k', PARTITIONS) + 1) % PARTITIONS);
    expect(readRecord(found, LIMITS)).toEqual({
      kind: 'poison',
      detail: 'type: is required; x: is not known here',
    });
  });
});

describe('a dead letter in ingest', () => {
  it('given a packed header, then the dead letter goes to deliveries unchanged', () => {
    const letter = record('ep_1:inv_1', 'any bytes', { ...DEAD, [DELIVERY_HEADER]: PACKED, other: 'x' });
    const { key, value, headers } = letter;
    expect(readRecord(letter, LIMITS)).toEqual({ kind: 'replay', out: { topic: 'deliveries', key, value, headers } });
  });

  it('given a payload_error without a delivery, then it is an event again, without the headers of a dead letter', () => {
    const headers = { ...DEAD, 'posthorn-dead-reason': 'payload_error', ce_specversion: '1.0', ce_source: 's' };
    const letter = record('k', '1', { ...headers, ce_id: 'evt_1', ce_type: 'a' });
    expect(readRecord(letter, LIMITS)).toMatchObject({ kind: 'event', event: { id: 'evt_1' } });
    const moved = readRecord({ ...letter, partition: (letter.partition + 1) % PARTITIONS }, LIMITS);
    expect(moved).toMatchObject({ kind: 'misplaced' });
    expect(
      'out' in moved && Object.keys(moved.out.headers ?? {}).filter((name) => name.startsWith('posthorn')),
    ).toEqual([]);
  });

  it.each([
    ['an unknown reason', { ...DEAD, 'posthorn-dead-reason': 'boredom', [DELIVERY_HEADER]: PACKED }, 'k', 'v'],
    ['a malformed packed header', { ...DEAD, [DELIVERY_HEADER]: '1\nx' }, 'k', NATIVE],
    ['no packed header', DEAD, 'k', NATIVE],
    ['no key', { ...DEAD, [DELIVERY_HEADER]: PACKED }, null, 'v'],
    ['no value', { ...DEAD, [DELIVERY_HEADER]: PACKED }, 'k', null],
  ])('given %s, then it is poison', (_, headers, key, value) => {
    expect(readRecord(record(key, value, headers), LIMITS).kind).toBe('poison');
  });
});
