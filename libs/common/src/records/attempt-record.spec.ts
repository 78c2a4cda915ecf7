import fc from 'fast-check';
import { EVENT_ID_PATTERN, TENANT_PATTERN } from '../domain/identifiers.js';
import { EVENT_TYPE_PATTERN } from '../domain/subscription.js';
import { ATTEMPT_ERRORS, DEAD_REASONS } from '../domain/verdict.js';
import { type AttemptRecord, decodeAttempt, encodeAttempt } from './attempt-record.js';
import { MAX_COUNT, MAX_INT, MAX_TIME_MS } from './limits.js';

const time = fc.integer({ min: 0, max: MAX_TIME_MS });
const count = fc.nat(MAX_COUNT);
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((text) => text.toWellFormed());
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });

const attempts: fc.Arbitrary<AttemptRecord> = fc
  .record({
    delivery_id: id,
    event_id: fc.stringMatching(EVENT_ID_PATTERN),
    endpoint_id: id,
    tenant: fc.stringMatching(TENANT_PATTERN),
    event_type: fc.stringMatching(EVENT_TYPE_PATTERN),
    lane: fc.oneof(anyText, fc.stringMatching(/^[\\\n\0n0x]{1,9}$/)),
    accepted_at: time,
    replay: count,
    attempt: count,
    at: time,
    duration_ms: fc.nat(MAX_INT),
    status_code: orNull(fc.integer({ min: 100, max: 999 })),
    error: orNull(fc.constantFrom(...ATTEMPT_ERRORS)),
    error_detail: orNull(anyText),
    how: fc.constantFrom('delivered', 'retry', 'dead', 'gone'),
    dead_reason: orNull(fc.constantFrom(...DEAD_REASONS)),
    next_attempt_at: orNull(time),
    response_body: orNull(fc.uint8Array({ minLength: 1, maxLength: 99 }).map((bytes) => Buffer.from(bytes))),
  })
  .map(({ how, ...told }) => ({ ...told, outcome: how === 'gone' ? 'dead' : how, gone: how === 'gone' }));

const TOLD: AttemptRecord = {
  delivery_id: 'dlv_1',
  event_id: 'evt 1',
  endpoint_id: 'ep_1',
  tenant: 'acme',
  event_type: 'invoice.paid',
  lane: 'ep_1:inv-1',
  accepted_at: 1_700_000_000_000,
  replay: 0,
  attempt: 2,
  at: 1_700_000_000_009,
  duration_ms: 12,
  status_code: 503,
  error: null,
  error_detail: null,
  outcome: 'retry',
  dead_reason: null,
  gone: false,
  next_attempt_at: 1_700_000_004_000,
  response_body: Buffer.from([0x0a, 0x00, 0xff]),
};
const FIELDS =
  '2\ndlv_1\nevt 1\nep_1\nacme\ninvoice.paid\nep_1:inv-1\n1700000000000\n0\n2\n1700000000009\n12\nretry\n503\n\n\n\n1700000004000';

describe('the record of an attempt', () => {
  it('given any attempt, then it comes back', () => {
    fc.assert(
      fc.property(attempts, (told) => {
        expect(decodeAttempt(Buffer.from(encodeAttempt(told)))).toEqual(told);
      }),
    );
  });

  it('given an attempt, then the wire form is as documented', () => {
    expect(encodeAttempt(TOLD)).toEqual(Buffer.concat([Buffer.from(`${FIELDS}\0`), Buffer.from([0x0a, 0x00, 0xff])]));
    expect(encodeAttempt({ ...TOLD, response_body: null })).toBe(FIELDS);
    expect(encodeAttempt({ ...TOLD, response_body: null, lane: 'a\n\\b\0' })).toContain('\na\\n\\\\b\\0\n');
  });

  it.each([
    { given: 'nothing', value: null, problem: 'empty' },
    { given: 'no bytes', value: '', problem: 'empty' },
    { given: 'a newer version', value: FIELDS.replace('2', '3'), problem: 'version' },
    { given: 'text of somebody', value: 'hello', problem: 'version' },
    { given: 'a field too few', value: FIELDS.replace('acme\n', ''), problem: 'malformed' },
    { given: 'a field too many', value: `${FIELDS}\nx`, problem: 'malformed' },
    { given: 'a NUL in the event id', value: FIELDS.replace('evt 1', 'evt\0'), problem: 'malformed' },
    { given: 'a tenant that is not ASCII', value: FIELDS.replace('acme', 'ä'), problem: 'malformed' },
    { given: 'an endpoint id that is too long', value: FIELDS.replace('ep_1', 'e'.repeat(65)), problem: 'malformed' },
    { given: 'more attempts than there are', value: FIELDS.replace('\n2\n', '\n2147483648\n'), problem: 'malformed' },
    { given: 'a time after 9999', value: FIELDS.replace('1700000000009', '999999999999999'), problem: 'malformed' },
    { given: 'a status of five digits', value: FIELDS.replace('503', '50300'), problem: 'malformed' },
    { given: 'a megabyte', value: 'x'.repeat(1_048_576), problem: 'bytes' },
    { given: 'an empty id', value: FIELDS.replace('dlv_1', ''), problem: 'malformed' },
    { given: 'a broken number', value: FIELDS.replace('\n12\n', '\n1.2\n'), problem: 'malformed' },
    { given: 'a broken optional number', value: FIELDS.replace('\n503\n', '\n-1\n'), problem: 'malformed' },
    { given: 'an outcome nobody knows', value: FIELDS.replace('retry', 'maybe'), problem: 'malformed' },
    { given: 'JSON that breaks off', value: '{"v":1', problem: 'JSON' },
    { given: 'JSON of a newer version', value: '{"v":9}', problem: 'JSON' },
  ])('given $given, then it says what is wrong', ({ value, problem }) => {
    const told = decodeAttempt(value === null ? null : Buffer.from(value));
    expect(told).toEqual({ problem: expect.stringContaining(problem) });
  });

  it('given any bytes, then it never throws', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeAttempt(Buffer.from(bytes))));
    fc.assert(fc.property(fc.string(), (text) => void decodeAttempt(Buffer.from(`2\n${text}`))));
    fc.assert(fc.property(fc.json(), (text) => void decodeAttempt(Buffer.from(text))));
  });

  it('given a record of version 1, then it says the same', () => {
    const json = { ...TOLD, v: 1, duration_ms: 12.3, response_body: TOLD.response_body?.toString('base64') };
    expect(decodeAttempt(Buffer.from(JSON.stringify(json)))).toEqual(TOLD);
  });
});
