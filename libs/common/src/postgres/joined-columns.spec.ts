import { joinedColumn, timeOf, unnestColumns } from './joined-columns.js';

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
});
