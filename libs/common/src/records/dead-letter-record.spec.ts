import fc from 'fast-check';
import { DEAD_REASONS } from '../domain/verdict.js';
import {
  DEAD_HEADERS,
  type DeadLetterInfo,
  deadLetterHeaders,
  hasDeadLetterHeaders,
  readDeadLetter,
  withoutDeadLetterHeaders,
} from './dead-letter-record.js';

const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const infos: fc.Arbitrary<DeadLetterInfo> = fc.record({
  reason: fc.constantFrom(...DEAD_REASONS),
  at: fc.integer({ min: 1, max: 4_102_444_800_000 }),
  detail: optional(fc.string({ minLength: 1 })),
  lastStatus: optional(fc.integer({ min: 100, max: 999 })),
  lastError: optional(fc.constantFrom('timeout', 'tls_error')),
  source: fc.constantFrom('deliveries/3/42', 'ingest/0/0'),
});

const asBytes = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));

describe('dead-letter headers', () => {
  it('given any dead letter, then it comes back, as text and as bytes', () => {
    fc.assert(
      fc.property(infos, (info) => {
        const headers = deadLetterHeaders(info);
        expect(readDeadLetter(headers)).toEqual(info);
        expect(readDeadLetter(asBytes(headers))).toEqual(info);
      }),
    );
  });

  it('given a dead letter, then its headers can be read by people', () => {
    const info = { detail: 'gave up', lastStatus: 503, lastError: undefined, source: 'deliveries/3/42' };
    expect(deadLetterHeaders({ reason: 'max_retries', at: Date.UTC(2026, 0, 1), ...info })).toEqual({
      'posthorn-dead-reason': 'max_retries',
      'posthorn-dead-at': '2026-01-01T00:00:00.000Z',
      'posthorn-dead-detail': 'gave up',
      'posthorn-dead-last-status': '503',
      'posthorn-dead-source': 'deliveries/3/42',
    });
  });

  it("given a replay, then the record's own headers are as they were", () => {
    fc.assert(
      fc.property(infos, fc.dictionary(fc.stringMatching(/^own-[a-z]+$/), fc.string()), (info, own) => {
        expect(withoutDeadLetterHeaders({ ...own, ...deadLetterHeaders(info) })).toEqual(own);
      }),
    );
  });

  it.each([{}, { [DEAD_HEADERS.source]: 'ingest/0/0' }])(
    'given no reason, then it is no dead letter: %j',
    (headers) => {
      expect([hasDeadLetterHeaders(headers), readDeadLetter(headers)]).toEqual([false, undefined]);
    },
  );

  it('given a reason nobody knows, then it claims to be one and cannot be read', () => {
    const headers = { [DEAD_HEADERS.reason]: 'boredom' };
    expect([hasDeadLetterHeaders(headers), readDeadLetter(headers)]).toEqual([true, undefined]);
  });

  it.each([
    [DEAD_HEADERS.at, '0'],
    [DEAD_HEADERS.at, '-271821-04-20T00:00:00.000Z'],
    [DEAD_HEADERS.at, '+275760-09-13T00:00:00.000Z'],
    [DEAD_HEADERS.lastStatus, '1e300'],
    [DEAD_HEADERS.lastStatus, '2147483648'],
    [DEAD_HEADERS.lastStatus, '0.5'],
  ])('given %s: %s, which no column holds, then it counts as missing', (name, value) => {
    const read = readDeadLetter({ [DEAD_HEADERS.reason]: 'max_retries', [name]: value });
    expect(read).toMatchObject({ reason: 'max_retries', at: 0, lastStatus: undefined });
  });

  it('given only a reason, then the rest is empty', () => {
    expect(readDeadLetter({ [DEAD_HEADERS.reason]: 'expired', [DEAD_HEADERS.at]: 'yesterday' })).toEqual({
      reason: 'expired',
      at: 0,
      detail: undefined,
      lastStatus: undefined,
      lastError: undefined,
      source: '',
    });
  });
});
