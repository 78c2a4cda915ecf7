import fc from 'fast-check';
import { type AttemptRecord, encodeAttempt } from '#common/records/attempt-record.js';
import type { InRecord } from '#common/records/record.js';
import {
  type DeliveryRow,
  latestStates,
  projectAttempts,
  projectDeadLetter,
  STATUSES,
  stateAfter,
} from './projection.js';

const AT = 1_700_000_000_000;

function state(over: Partial<DeliveryRow>): DeliveryRow {
  return {
    id: 'dlv_1',
    accepted_at: AT,
    tenant: 't',
    event_id: 'e',
    event_type: 'a.b',
    endpoint_id: 'ep',
    lane: 'l',
    status: 'retrying',
    replay: 0,
    attempts: 1,
    last_status_code: null,
    last_error: null,
    dead_reason: null,
    next_attempt_at: null,
    ...over,
  };
}

describe('latestStates', () => {
  it.each([
    {
      given: 'a retry and then a success',
      rows: [state({}), state({ status: 'delivered', attempts: 2 })],
      expected: { status: 'delivered', attempts: 2 },
    },
    {
      given: 'its dead letter before its last attempts',
      rows: [state({ status: 'dead', attempts: 4 }), state({ attempts: 3 })],
      expected: { status: 'dead', attempts: 4 },
    },
    {
      given: 'a dead letter of a zombie',
      rows: [state({ status: 'delivered', attempts: 2 }), state({ status: 'dead', attempts: 3 })],
      expected: { status: 'delivered', attempts: 3 },
    },
    {
      given: 'a replay',
      rows: [state({ status: 'dead', attempts: 4 }), state({ replay: 1 })],
      expected: { status: 'retrying', replay: 1, attempts: 1 },
    },
    {
      given: 'a late word of an earlier life',
      rows: [state({ replay: 1 }), state({ status: 'delivered', attempts: 4 })],
      expected: { status: 'retrying', replay: 1, attempts: 1 },
    },
  ] as const)('given $given, then the state that counts stays', ({ rows, expected }) => {
    expect(latestStates(rows)).toMatchObject([expected]);
  });

  it('given states in any order and any batches, then the outcome is the same', () => {
    const states = fc.array(
      fc
        .record({
          id: fc.constantFrom('a', 'b'),
          status: fc.constantFrom(...STATUSES),
          replay: fc.nat(2),
          attempts: fc.nat(3),
        })
        .map((over) => state(over)),
      { maxLength: 12 },
    );
    const shuffled = states.chain((rows) =>
      fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length }), fc.nat(12)),
    );
    fc.assert(
      fc.property(shuffled, ([rows, others, cut]) => {
        const inBatches = latestStates([...latestStates(others.slice(0, cut)), ...latestStates(others.slice(cut))]);
        expect(inBatches).toEqual(latestStates(rows));
      }),
    );
  });
});

function record(value: string | null, headers: Record<string, string> = {}): InRecord {
  return {
    topic: 'dlq',
    partition: 1,
    offset: 7,
    timestamp: AT,
    key: null,
    value: value === null ? null : Buffer.from(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  };
}

const TOLD: AttemptRecord = {
  delivery_id: 'dlv_1',
  event_id: 'e',
  endpoint_id: 'ep',
  tenant: 't',
  event_type: 'a.b',
  lane: 'l',
  accepted_at: AT,
  replay: 0,
  attempt: 1,
  at: AT,
  duration_ms: 5,
  status_code: 503,
  error: null,
  error_detail: null,
  outcome: 'retry',
  dead_reason: null,
  gone: false,
  next_attempt_at: AT + 1,
  response_body: null,
};

describe('projectAttempts', () => {
  const read = (told: AttemptRecord) => projectAttempts([record(encodeAttempt(told).toString())]).attempts[0];

  it('given an attempt, then it is what was told, and leaves its delivery in that state', () => {
    expect(read(TOLD)).toEqual(TOLD);
    expect(stateAfter(TOLD)).toEqual(state({ last_status_code: 503, next_attempt_at: AT + 1 }));
    expect(stateAfter({ ...TOLD, outcome: 'dead', dead_reason: 'max_retries' })).toMatchObject({
      status: 'dead',
      dead_reason: 'max_retries',
    });
  });

  it('given text that PostgreSQL cannot hold, then the rest of it stays', () => {
    expect(read({ ...TOLD, lane: 'a\0b', error_detail: 'c\nd' })).toEqual({ ...TOLD, lane: 'ab', error_detail: 'c d' });
  });

  it('given one whose headers are beyond the limits, then it is rejected', () => {
    const cut = { ...record(encodeAttempt(TOLD).toString()), oversized: 'too many headers' };
    expect(projectAttempts([cut])).toEqual({
      attempts: [],
      rejected: [{ record: cut, problem: 'too many headers' }],
    });
  });

  it.each(['', 'no json', '{}', 'null'])('given the value "%s", then it throws', (value) => {
    const read = record(value);
    expect(projectAttempts([read])).toEqual({
      attempts: [],
      rejected: [{ record: read, problem: expect.any(String) }],
    });
  });
});

describe('projectDeadLetter', () => {
  it('given one that is not whole, then it is kept with that reason, and no header is believed', () => {
    const cut = { ...record('x', { 'posthorn-dead-reason': 'max_retries' }), oversized: 'too many headers' };
    expect(projectDeadLetter(cut)).toMatchObject({
      deadLetter: { reason: 'payload_error', detail: 'too many headers' },
      delivery: undefined,
    });
  });

  it('given a record nobody made a dead letter of, then it is kept as one that cannot be understood', () => {
    const { deadLetter, delivery } = projectDeadLetter(record('junk'));
    expect(deadLetter).toMatchObject({ reason: 'payload_error', dead_at: new Date(AT), delivery_id: null, key: null });
    expect(delivery).toBeUndefined();
  });

  it.each([
    { given: 'a payload_error', headers: { 'posthorn-dead-reason': 'payload_error' } },
    { given: 'no dead letter', headers: {} },
  ])('given $given that names a delivery, then it is not believed: anybody may have written it', ({ headers }) => {
    const packed = '1\ndlv_1\nevt_1\nep_1\nacme\na.b\n3\n0\n5\nr\n3\n\n';
    const { deadLetter, delivery } = projectDeadLetter(record('{}', { ...headers, posthorn: packed }));
    expect(deadLetter).toMatchObject({ reason: 'payload_error', delivery_id: null, tenant: null, endpoint_id: null });
    expect(delivery).toBeUndefined();
  });

  it('given any bytes and headers, then it never throws, and no text has a NUL', () => {
    const texts = fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), fc.string({ maxLength: 20 }), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(fc.option(fc.string({ unit: 'binary', maxLength: 30 })), texts, (value, headers) => {
        const known = { ...headers, 'posthorn-dead-reason': 'max_retries', 'posthorn-dead-detail': 'a\0b' };
        const { deadLetter } = projectDeadLetter(record(value, known));
        expect(deadLetter.detail).toBe('ab');
      }),
    );
  });

  it('given the same record twice, then it has the same id; given another at its place, then another', () => {
    const id = (timestamp: number) => projectDeadLetter({ ...record('x'), timestamp }).deadLetter.id;
    expect(id(1)).toBe(id(1));
    expect(id(1)).not.toBe(id(2));
  });
});
