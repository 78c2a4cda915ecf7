import { Problems } from './problems.js';

const withCode = (code: string) => Object.assign(new Error('boom'), { code });
let now: number;
let problems: Problems;

beforeEach(() => {
  now = 0;
  problems = new Problems(() => now);
  problems.succeeded('probe');
});

describe('Problems', () => {
  it('given a server that is away, then the next statement that succeeds ends it, and time alone does not', () => {
    problems.failed('a', withCode('28P01'));
    now = 1_000_000;
    expect(problems.current).toContain('authentication: PostgreSQL rejects the user or the password (28P01');
    problems.succeeded('b');
    expect(problems.current).toBeUndefined();
  });

  it.each(['42501', '42P01', '25006', '53100', '23514', 'XX000'])(
    'given %s for one statement, then the success of another does not hide it',
    (code) => {
      problems.failed('a', withCode(code));
      problems.succeeded('b');
      expect(problems.current).toContain(code);
      problems.succeeded('a');
      expect(problems.current).toBeUndefined();
    },
  );

  it('given a statement that is not repeated, then its problem ends by itself', () => {
    problems.failed('a', withCode('42501'));
    now = 15_001;
    expect(problems.current).toBeUndefined();
  });

  it('given more statements than are remembered, then the last one still shows', () => {
    for (let index = 0; index <= 250; index++) problems.failed(`s${index}`, withCode('42501'));
    problems.failed('last', withCode('25006'));
    expect(problems.current).toContain('read_only');
  });

  it("given a row's own fault, then the database has no problem", () => {
    problems.failed('a', withCode('22021'));
    expect(problems.current).toBeUndefined();
  });
});
