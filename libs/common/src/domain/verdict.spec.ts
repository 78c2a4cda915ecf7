import fc from 'fast-check';
import { PRESETS, type RetryPolicy } from './retry-policy.js';
import { ATTEMPT_ERRORS, type AttemptContext, type AttemptResult, parseRetryAfterMs, verdictOf } from './verdict.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');

function context(changes: Partial<AttemptContext> = {}): AttemptContext {
  return { policy: PRESETS.quick, attempt: 1, replay: 0, nowMs: NOW, random: () => 0.5, ...changes };
}

function answered(status: number, retryAfter?: string): AttemptResult {
  return { kind: 'response', status, retryAfter };
}

describe('verdictOf', () => {
  it.each([200, 201, 202, 204, 206, 299])('given %i, then it is delivered, whatever the attempt', (status) => {
    expect(verdictOf(answered(status), context({ attempt: 99 }))).toEqual({ kind: 'delivered' });
  });

  it.each([
    300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 451, 500, 502, 503, 504, 599, 999,
  ])('given %i under the default policy, then it is retried', (status) => {
    expect(verdictOf(answered(status), context())).toEqual({ kind: 'retry', delayMs: 4_000 });
  });

  it.each([1, 4, 99])('given a 410 at attempt %i, then the endpoint is gone', (attempt) => {
    expect(verdictOf(answered(410), context({ attempt }))).toEqual({ kind: 'gone', reason: 'invalid_endpoint' });
  });

  it.each([401, 404])('given a %i that is permanent by policy, then it is dead at once', (status) => {
    const dead = { kind: 'dead', reason: 'unrecoverable' };
    expect(verdictOf(answered(status), context({ policy: PRESETS.gentle }))).toEqual(dead);
    expect(verdictOf(answered(403), context({ policy: PRESETS.gentle })).kind).toBe('retry');
  });

  it('given a permanent status that is a success or 410, then that counts', () => {
    const policy: RetryPolicy = { ...PRESETS.quick, permanentStatuses: [200, 410] };
    expect(verdictOf(answered(200), context({ policy })).kind).toBe('delivered');
    expect(verdictOf(answered(410), context({ policy })).kind).toBe('gone');
  });

  it.each(ATTEMPT_ERRORS)('given the error %s, then it is retried unless no retry could help', (error) => {
    const isPermanent = error === 'blocked_address' || error === 'invalid_url';
    const expected = isPermanent ? { kind: 'dead', reason: 'invalid_endpoint' } : { kind: 'retry', delayMs: 4_000 };
    expect(verdictOf({ kind: 'failure', error }, context())).toEqual(expected);
  });

  it.each([
    { attempt: 1, replay: 0, expected: { kind: 'retry', delayMs: 4_000 } },
    { attempt: 2, replay: 0, expected: { kind: 'retry', delayMs: 16_000 } },
    { attempt: 3, replay: 0, expected: { kind: 'retry', delayMs: 64_000 } },
    { attempt: 4, replay: 0, expected: { kind: 'dead', reason: 'max_retries' } },
    { attempt: 9, replay: 0, expected: { kind: 'dead', reason: 'max_retries' } },
    { attempt: 2, replay: 1, expected: { kind: 'retry', delayMs: 16_000 } },
    { attempt: 3, replay: 1, expected: { kind: 'dead', reason: 'max_retries' } },
    { attempt: 3, replay: 7, expected: { kind: 'dead', reason: 'max_retries' } },
  ])('given attempt $attempt of replay $replay, then $expected', ({ attempt, replay, expected }) => {
    expect(verdictOf(answered(500), context({ attempt, replay }))).toEqual(expected);
  });

  it('given a policy of one attempt, then its failure is dead, Retry-After or not', () => {
    const policy: RetryPolicy = { delaysMs: [], jitter: 'none', permanentStatuses: [] };
    expect(verdictOf(answered(503, '5'), context({ policy }))).toEqual({ kind: 'dead', reason: 'max_retries' });
  });
});

describe('Retry-After', () => {
  it.each([
    { status: 503, retryAfter: '7', delayMs: 7_000 },
    { status: 429, retryAfter: '7', delayMs: 7_000 },
    { status: 503, retryAfter: 'Thu, 01 Jan 2026 00:00:30 GMT', delayMs: 30_000 },
    { status: 503, retryAfter: '1', delayMs: 4_000 },
    { status: 503, retryAfter: '0', delayMs: 4_000 },
    { status: 503, retryAfter: '999999999', delayMs: 64_000 },
    { status: 503, retryAfter: '9'.repeat(400), delayMs: 64_000 },
    { status: 503, retryAfter: '-7', delayMs: 4_000 },
    { status: 503, retryAfter: '-0', delayMs: 4_000 },
    { status: 503, retryAfter: 'NaN', delayMs: 4_000 },
    { status: 503, retryAfter: 'soon', delayMs: 4_000 },
    { status: 503, retryAfter: 'Wed, 31 Dec 2025 23:59:59 GMT', delayMs: 4_000 },
    { status: 500, retryAfter: '7', delayMs: 4_000 },
    { status: 302, retryAfter: '7', delayMs: 4_000 },
  ])('given $status with "$retryAfter", then the first retry waits $delayMs ms', ({ status, retryAfter, delayMs }) => {
    expect(verdictOf(answered(status, retryAfter), context())).toEqual({ kind: 'retry', delayMs });
  });

  it('given a policy with a cap of its own, then that is the limit, not its longest wait', () => {
    const asked = (retryAfter: string) => verdictOf(answered(503, retryAfter), context({ policy: PRESETS.gentle }));
    expect(asked('3600')).toEqual({ kind: 'retry', delayMs: 3_600_000 });
    expect(asked('100000')).toEqual({ kind: 'retry', delayMs: 86_400_000 });
  });

  it('given any answer, then the next attempt is never before the policy has it, and never beyond its cap', () => {
    const retryAfter = fc.oneof(
      fc.nat().map(String),
      fc.string(),
      fc.date().map((date) => date.toUTCString()),
    );
    fc.assert(
      fc.property(fc.constantFrom(429, 503), retryAfter, fc.integer({ min: 1, max: 3 }), (status, value, attempt) => {
        const verdict = verdictOf(answered(status, value), context({ attempt }));
        const own = PRESETS.quick.delaysMs[attempt - 1] ?? 0;
        expect(verdict.kind === 'retry' && verdict.delayMs >= own && verdict.delayMs <= 64_000).toBe(true);
      }),
    );
  });
});

describe('parseRetryAfterMs', () => {
  it.each([
    ['120', 120_000],
    [' 120 ', 120_000],
    ['0', 0],
    ['00000000000000000000001', 1_000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    ['Thu Jan  1 00:01:00 2026', 60_000],
  ])('given %j, then it is %i ms', (value, expected) => {
    expect(parseRetryAfterMs(value, NOW)).toBe(expected);
  });

  it.each([
    undefined,
    '',
    ' ',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    '1, 2',
    '2026-01-01T01:00:00Z',
    'Later 2099',
    'Thu, 99 Jan 2026 00:01:00 GMT',
    'Thu, 01 Jan 2026 00:00:00 GMT',
  ])('given %j, then nothing was asked', (value) => {
    expect(parseRetryAfterMs(value, NOW)).toBeUndefined();
  });

  it('given an HTTP-date, then it is read the same wherever the process runs', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (seconds) => {
        const date = new Date(NOW + seconds * 1_000);
        expect(parseRetryAfterMs(date.toUTCString(), NOW)).toBe(seconds * 1_000);
        const [, month, day, year, time] =
          /^\w+, (\w+) (\d+) (\d+) (.*) GMT$/.exec(
            date.toUTCString().replace(/(\w+, )(\d+) (\w+) (\d+)/, '$1$3 $2 $4'),
          ) ?? [];
        expect(parseRetryAfterMs(`Mon ${month} ${day} ${time} ${year}`, NOW)).toBe(seconds * 1_000);
      }),
    );
  });
});
