import { poisonRecord } from './poison-record.js';
import type { InRecord } from './record.js';

const LIMIT = 64 * 1_024;

function record(over: Partial<InRecord>): InRecord {
  return { topic: 'ingest', partition: 2, offset: 7, timestamp: 1, key: null, value: null, headers: {}, ...over };
}

describe('poisonRecord', () => {
  it('given any record, then key, value and headers are as they were, and it says why and whence', () => {
    const given = record({ key: Buffer.from([255]), value: Buffer.from([0, 254]), headers: { x: Buffer.from([253]) } });
    expect(poisonRecord(given, 'not JSON', 0, LIMIT)).toEqual({
      topic: 'dlq',
      key: given.key,
      value: given.value,
      headers: {
        x: Buffer.from([253]),
        'posthorn-dead-reason': 'payload_error',
        'posthorn-dead-at': '1970-01-01T00:00:00.000Z',
        'posthorn-dead-detail': 'not JSON',
        'posthorn-dead-source': 'ingest/2/7',
      },
    });
  });

  it('given no key and no value, then it has none', () => {
    expect(poisonRecord(record({}), 'x', 0, LIMIT)).toMatchObject({ key: null, value: null });
  });

  it('given a dead letter that is none, then it says why it is one now', () => {
    const headers = { 'posthorn-dead-reason': Buffer.from('boredom') };
    expect(poisonRecord(record({ headers }), 'x', 0, LIMIT).headers).toMatchObject({
      'posthorn-dead-reason': 'payload_error',
    });
  });

  it.each([
    ['value', { value: Buffer.alloc(2 * LIMIT) }],
    ['key', { key: Buffer.alloc(2 * LIMIT) }],
    ['headers', { headers: { x: Buffer.alloc(2 * LIMIT) } }],
  ])('given a %s too large for the topic, then it is cut to fit and says so', (_, over) => {
    const { key, value, headers } = poisonRecord(record(over), 'y'.repeat(5_000), 0, LIMIT);
    const texts = Object.entries(headers ?? {}).flat();
    const bytes = [key, value, ...texts].reduce((sum, part) => sum + (part === null ? 0 : Buffer.byteLength(part)), 0);
    expect(bytes).toBeLessThan(LIMIT - 1_024);
    expect(String(headers?.['posthorn-dead-detail'])).toMatch(/cut: the record has \d+ bytes/);
  });
});
