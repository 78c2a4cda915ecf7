import { isUnavailable } from './errors.js';

const withCode = (code: string, message = 'boom') => Object.assign(new Error(message), { code });

describe('isUnavailable', () => {
  it.each([
    { given: 'a refused connection', error: withCode('ECONNREFUSED') },
    { given: 'both addresses of a host refused', error: new AggregateError([withCode('ECONNREFUSED')]) },
    { given: 'a starting server', error: withCode('57P03') },
    { given: 'a shutdown', error: withCode('57P01') },
    { given: 'a lost connection', error: withCode('08006') },
    { given: 'too many connections', error: withCode('53300') },
    { given: 'a statement timeout', error: withCode('57014') },
    { given: 'a deadlock', error: withCode('40P01') },
    { given: 'a connection that ended', error: new Error('Connection terminated unexpectedly') },
    { given: 'a connection that ended, as a cause', error: new Error('x', { cause: withCode('EPIPE') }) },
    { given: 'a full pool', error: new Error('timeout exceeded when trying to connect') },
  ])('given $given, then it is worth waiting', ({ error }) => {
    expect(isUnavailable(error)).toBe(true);
  });

  it.each([
    { given: 'a duplicate key', error: withCode('23505') },
    { given: 'a syntax error', error: withCode('42601') },
    { given: 'a wrong password', error: withCode('28P01') },
    { given: 'a bug', error: new TypeError('x is not a function') },
    { given: 'no error', error: 'Connection terminated' },
  ])('given $given, then it is not', ({ error }) => {
    expect(isUnavailable(error)).toBe(false);
  });
});
