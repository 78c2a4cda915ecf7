import { RecordTooLargeError } from '#common/kafka/port/record-writer.js';
import type { Queryable } from '#common/postgres/database.js';
import { encodeDelivery, newLife } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { encodeHeaders } from '#common/records/stored-headers.js';
import { topicSpecs } from '#common/records/topics.js';
import { setAsideRows } from './metrics.js';
import type { OutboxRow } from './outbox-row.js';
import { OutboxWriter } from './outbox-writer.js';

const settings = { topics: topicSpecs({ logPartitions: 1, sidePartitions: 1, maxEventBytes: 1_024 }) };
const MAX_BYTES = Number(settings.topics[0]?.config['max.message.bytes']);
const DELIVERY = {
  deliveryId: 'dlv_1',
  eventId: 'evt_1',
  endpointId: 'ep_1',
  tenant: 'acme',
  eventType: 'invoice.paid',
  acceptedAt: 1_700_000_000_000,
};
const packed = { posthorn: encodeDelivery(newLife(DELIVERY)) };

function row(seq: number, over: Partial<OutboxRow> = {}): OutboxRow {
  const value = Buffer.from(String(seq));
  return { seq, topic: 'deliveries', key: Buffer.from('ep_1'), value, headers: encodeHeaders(packed), ...over };
}

/** @param refusedBytes the broker refuses a write with a record of at least as many bytes, after it stored the others */
function writerOf(refusedBytes = Number.POSITIVE_INFINITY) {
  const written: OutRecord[] = [];
  const statements: (readonly unknown[])[] = [];
  const isRefused = ({ value }: OutRecord) => (value?.length ?? 0) >= refusedBytes;
  const producer = {
    write: async (records: readonly OutRecord[]) => {
      if (records.some(isRefused)) throw new RecordTooLargeError('MESSAGE_TOO_LARGE');
      written.push(...records);
    },
  };
  const db: Queryable = {
    query: async (_sql: string, params: readonly unknown[] = []) => {
      statements.push(params);
      return [];
    },
  };
  const writer = new OutboxWriter(producer, settings, { finish: async (records) => records });
  const numbers = () => written.filter(({ topic }) => topic === 'deliveries').map(({ value }) => Number(value));
  const poison = () => written.filter(({ topic }) => topic === 'dlq');
  return { writer, db, statements, numbers, poison };
}

const setAside = async () => (await setAsideRows.get()).values.reduce((sum, { value }) => sum + value, 0);

describe('OutboxWriter', () => {
  it.each([
    { given: 'larger than its topic takes', over: { value: Buffer.alloc(MAX_BYTES) }, detail: `takes ${MAX_BYTES}` },
    { given: 'for a topic that does not exist', over: { topic: 'none' }, detail: 'there is no topic none' },
    { given: 'with malformed headers', over: { headers: ['x'] }, detail: 'its headers are malformed' },
  ])('given a row $given, then it is set aside with its reason, and its neighbours are written once', async (bad) => {
    const before = await setAside();
    const { writer, db, numbers, poison } = writerOf();
    await writer.write(db, [row(1), row(2, bad.over), row(3)]);
    expect(numbers()).toEqual([1, 3]);
    expect(poison()).toHaveLength(1);
    const headers = poison()[0]?.headers ?? {};
    expect(headers['posthorn-dead-reason']).toBe('payload_error');
    expect(String(headers['posthorn-dead-detail'])).toContain(bad.detail);
    expect(headers['posthorn-dead-source']).toBe('outbox/0/2');
    expect(await setAside()).toBe(before + 1);
  });

  it('given a row that begins a life and is set aside, then its delivery is dead', async () => {
    const { writer, db, statements } = writerOf();
    const replay = { ...packed, 'posthorn-dead-reason': 'max_retries' };
    const value = Buffer.alloc(MAX_BYTES);
    await writer.write(db, [row(1, { value }), row(2, { value, headers: encodeHeaders(replay) })]);
    const at = new Date(DELIVERY.acceptedAt);
    expect(statements).toEqual([
      ['dlv_1', at, 0],
      ['dlv_1', at, 1],
    ]);
  });

  it('given a topic with a lower limit than the configured one, then the row that it refuses is set aside', async () => {
    const { writer, db, numbers, poison } = writerOf(100_000);
    await writer.write(db, [row(1), row(2, { value: Buffer.alloc(100_000) }), row(3)]);
    expect(numbers()).toEqual([1, 3]);
    expect(String(poison()[0]?.headers?.['posthorn-dead-detail'])).toContain('refuses it');
    expect(poison()[0]?.value?.length).toBeLessThan(65_536);
  });

  it('given an error of the broker, then nothing is set aside, and the page is repeated', async () => {
    const { db, poison } = writerOf();
    const producer = { write: () => Promise.reject(new Error('unreachable')) };
    const writer = new OutboxWriter(producer, settings, { finish: async (records) => records });
    await expect(writer.write(db, [row(1)])).rejects.toThrow('unreachable');
    expect(poison()).toEqual([]);
  });

  it('given a record of configuration that is too large, then its secrets do not go to dlq', async () => {
    const { writer, db, poison } = writerOf();
    await writer.write(db, [row(1, { topic: 'endpoints', value: Buffer.alloc(MAX_BYTES) })]);
    expect(poison()).toEqual([]);
  });
});
