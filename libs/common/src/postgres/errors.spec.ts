import {
  classifyError,
  describeProblem,
  type ErrorMeaning,
  isUnavailable,
  markConnectError,
  markRefusedByDriver,
  UnusableRowError,
  type WaitReason,
} from './errors.js';

const withCode = (code: string, over: object = {}) => Object.assign(new Error('boom'), { code, ...over });
const wait = (reason: WaitReason): ErrorMeaning => ({ kind: 'wait', reason });

/** SQLSTATEs that PostgreSQL 18 is known to give to statements such as Posthorn's. */
const WAITING: readonly (readonly [WaitReason, readonly string[]])[] = [
  ['unreachable', ['08000', '08001', '08003', '08004', '08006', '08P01']],
  ['stopped', ['57000', '57P01', '57P02', '57P03', '57P05']],
  ['authentication', ['28000', '28P01']],
  ['database_missing', ['3D000', '55000', '57P04']],
  ['schema_mismatch', ['42P01', '42703', '42883', '42704', '42601', '42P10', '3F000', '0A000', '26000']],
  ['no_rights', ['42501']],
  ['read_only', ['25006']],
  ['disk_full', ['53100']],
  ['too_many_connections', ['53300']],
  ['out_of_resources', ['53000', '53200', '53400']],
  ['io_error', ['58000', '58030', '58P01', 'F0000']],
  ['timeout', ['57014', '25P03', '25P04', '55P03']],
  ['conflict', ['40001', '40P01', '40003', '55006', '72000']],
  ['partition_missing', ['23514']],
];
const OF_A_ROW = [
  '22000',
  '22001',
  '22003',
  '22007',
  '22008',
  '22021',
  '22P02',
  '22P03',
  '22P05',
  '2202E',
  '22032',
].concat(['23502', '23503', '23505', '23P01', '23000'], ['54000', '54001', '54023']);
const UNCERTAIN = ['XX000', 'XX001', 'XX002', 'P0001', '21000', '25P02', '38000', '2F000', '44000'];

describe('classifyError, by SQLSTATE', () => {
  it.each(WAITING.flatMap(([reason, codes]) => codes.map((code) => ({ code, reason }))))(
    'given $code, then it waits: $reason',
    ({ code, reason }) => {
      expect(classifyError(withCode(code))).toEqual(wait(reason));
      expect(describeProblem(withCode(code))).toMatch(new RegExp(`^${reason}: .+ \\(${code}: boom\\)$`));
    },
  );

  it.each(OF_A_ROW)('given %s, then a row is at fault', (code) => {
    expect(classifyError(withCode(code))).toEqual({ kind: 'row' });
  });

  it.each(UNCERTAIN)('given %s, then nothing is certain', (code) => {
    expect(classifyError(withCode(code))).toEqual({ kind: 'unknown' });
  });

  it('given a CHECK that names its constraint, then a row is at fault: no partition is missing', () => {
    expect(classifyError(withCode('23514', { constraint: 'positive' }))).toEqual({ kind: 'row' });
  });
});

describe('classifyError, of errors without SQLSTATE', () => {
  const unreachable = wait('unreachable');
  const connecting = (error: Error) => {
    markConnectError(error);
    return error;
  };
  const refused = (error: Error) => {
    markRefusedByDriver(error);
    return error;
  };
  it.each([
    { given: 'a refused connection', error: withCode('ECONNREFUSED'), meaning: unreachable },
    { given: 'a broken pipe', error: withCode('EPIPE'), meaning: unreachable },
    { given: 'both addresses refused', error: new AggregateError([withCode('ECONNREFUSED')]), meaning: unreachable },
    { given: 'a connection that ended', error: new Error('Connection terminated unexpectedly'), meaning: unreachable },
    { given: 'a silent server', error: new Error('Query read timeout'), meaning: unreachable },
    { given: 'a full pool', error: new Error('timeout exceeded when trying to connect'), meaning: unreachable },
    {
      given: 'a lost connection as a cause',
      error: new Error('x', { cause: withCode('EPIPE') }),
      meaning: unreachable,
    },
    { given: 'a password of no text', error: connecting(new Error('SASL: …must be a string')), meaning: unreachable },
    { given: 'a certificate', error: connecting(withCode('CERT_HAS_EXPIRED')), meaning: unreachable },
    { given: 'a wrong password', error: connecting(withCode('28P01')), meaning: wait('authentication') },
    {
      given: 'a value that is no date',
      error: refused(new RangeError('Invalid time value')),
      meaning: { kind: 'row' },
    },
    { given: 'a circular value', error: refused(new TypeError('circular')), meaning: { kind: 'row' } },
    { given: 'a row found unusable', error: new UnusableRowError('no attempt'), meaning: { kind: 'row' } },
    { given: 'a bug', error: new TypeError('x is not a function'), meaning: { kind: 'unknown' } },
    { given: 'no error', error: 'Connection terminated', meaning: { kind: 'unknown' } },
  ])('given $given, then it is $meaning.kind', ({ error, meaning }) => {
    expect(classifyError(error)).toEqual(meaning);
    expect(isUnavailable(error)).toBe(meaning.kind === 'wait');
  });
});
