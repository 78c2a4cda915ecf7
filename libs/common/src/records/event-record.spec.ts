import { DOOR_HEADER, HTTP_DOOR, parseEventRecord } from './event-record.js';

const LIMIT = 1_024;
const NATIVE = '{"id":"1","type":"a","data":1}';
const parse = (value: string | Buffer | null, headers: Record<string, string | Buffer> = {}) =>
  parseEventRecord(
    {
      value: value === null ? null : Buffer.from(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, content]) => [name, Buffer.from(content)])),
    },
    LIMIT,
  );
const ofSize = (bytes: number) => {
  const head = '{"id":"1","type":"a","data":"';
  return `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
};
const CE = { ce_specversion: '1.0', ce_id: '1', ce_source: 's', ce_type: 'a' };

describe('parseEventRecord', () => {
  it('given a native envelope, whatever the other headers, then the event is read', () => {
    const headers = { 'content-type': 'application/json', other: Buffer.from([255]) };
    expect(parse(NATIVE, headers)).toEqual({ ok: true, event: { id: '1', type: 'a', rawData: '1' } });
  });

  it('given ce_ headers, then the value is data', () => {
    const headers = { ...CE, ce_partitionkey: 'é', 'content-type': 'text/plain' };
    expect(parse('hi', headers)).toMatchObject({ ok: true, event: { id: '1', resourceId: 'é', rawData: '"hi"' } });
  });

  it.each([
    ['a null value', null, {}, 'body'],
    ['an empty value', '', {}, 'body'],
    ['random bytes', Buffer.from([0, 1, 2, 255]), {}, 'body'],
    ['no id', '{"type":"a","data":1}', {}, 'id'],
    ['another schema', '{"user":1}', {}, 'type'],
    ['an unknown CloudEvents version', '1', { ...CE, ce_specversion: '2.0' }, 'ce_specversion'],
    ['attributes without a version', '1', { ce_id: '1', ce_source: 's', ce_type: 'a' }, 'ce_specversion'],
    ['an attribute that is not UTF-8', '1', { ...CE, ce_subject: Buffer.from([255]) }, 'ce_subject'],
    ['a batch of CloudEvents', '[]', { 'content-type': 'application/cloudevents-batch+json' }, 'content-type'],
    ['CloudEvents in Avro', 'x', { 'content-type': 'application/cloudevents+avro' }, 'content-type'],
    ['a structured event that is none', NATIVE, { 'content-type': 'application/cloudevents+json' }, 'specversion'],
    ['one byte too many', ofSize(LIMIT + 1), {}, 'body'],
    ['data that grows too large as JSON', '"'.repeat(LIMIT), { ...CE, 'content-type': 'text/plain' }, 'body'],
  ])('given %s, then the errors name it', (_, value, headers, field) => {
    const parsed = parse(value, headers);
    expect(parsed.ok ? [] : parsed.errors.map((error) => error.field)).toContain(field);
  });

  it('given an event at the limit, then it is taken', () => {
    expect(parse(ofSize(LIMIT)).ok).toBe(true);
  });

  it('given an event that the API has measured, then what it added does not count', () => {
    expect(parse(ofSize(LIMIT + 600), { [DOOR_HEADER]: HTTP_DOOR }).ok).toBe(true);
  });
});
