import { arrayLiteral } from './array-literal.js';

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
