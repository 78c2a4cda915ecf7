import { arrayLiteral, joinedColumn, timeOf, unnestColumns } from './array-parameters.js';

describe('arrayLiteral', () => {
  it.each([
    { name: 'nothing', values: [], literal: '{}' },
    { name: 'plain text', values: ['a', 'ep_1:r-2', 'Zoë'], literal: '{a,ep_1:r-2,Zoë}' },
    {
      name: 'text with meaning',
      values: ['', 'NULL', 'null', 'a b', 'a,b', '{}'],
      literal: '{"","NULL","null","a b","a,b","{}"}',
    },
    { name: 'quotes and backslashes', values: ['say "hi"', 'C:\\'], literal: '{"say \\"hi\\"","C:\\\\"}' },
    { name: 'null', values: [null, undefined, 'x'], literal: '{NULL,NULL,x}' },
    { name: 'numbers and booleans', values: [1, -2.5, true], literal: '{1,-2.5,true}' },
    { name: 'a time', values: [new Date(0)], literal: '{"1970-01-01T00:00:00.000Z"}' },
    { name: 'bytes', values: [Buffer.from([0, 255])], literal: '{"\\\\x00ff"}' },
    { name: 'an object, as JSON', values: [{ a: 'b' }], literal: '{"{\\"a\\":\\"b\\"}"}' },
  ])('given $name, then it is as PostgreSQL reads it', ({ values, literal }) => {
    expect(arrayLiteral(values)).toBe(literal);
  });
});

describe('joined columns', () => {
  it('given rows, then each column is one text, and the SQL names each parameter', () => {
    const rows = [
      { name: 'a b', size: 1 },
      { name: null, size: 2 },
    ];
    expect(joinedColumn(rows, ({ name }) => name)).toBe('a b\n');
    expect(joinedColumn(rows, ({ size }) => size)).toBe('1\n2');
    expect(unnestColumns(2)).toBe(`unnest(string_to_array($1, E'\\n', ''), string_to_array($2, E'\\n', ''))`);
    expect(timeOf('at_ms')).toBe('to_timestamp(at_ms::float8 / 1000)');
  });

  it('given JSON text, which may have line feeds, then its columns are joined with another separator', () => {
    expect(joinedColumn(['{\n}', '1'], (data) => data, '\x1e')).toBe('{\n}\x1e1');
    expect(unnestColumns(1, '\x1e')).toBe(`unnest(string_to_array($1, E'\\x1e', ''))`);
  });
});
