import { recordTrace, traceContext } from './trace-context.js';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const of = (headers: Record<string, string>) => traceContext((name) => headers[name]);

it.each([
  { given: 'a parent', headers: { traceparent: PARENT } },
  { given: 'a parent and a state', headers: { traceparent: PARENT, tracestate: 'rojo=00f067aa0ba902b7,congo=t61' } },
  { given: 'a later version', headers: { traceparent: `01${PARENT.slice(2)}-more` } },
])('given $given, then it is passed on as it is', ({ headers }) => {
  expect(of(headers)).toEqual(headers);
});

it.each([
  ['nothing', {}],
  ['a state alone', { tracestate: 'a=b' }],
  ['no hex', { traceparent: PARENT.replace('0af', 'xyz') }],
  ['upper case', { traceparent: PARENT.toUpperCase() }],
  ['a trace of zeros', { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }],
  ['a parent of zeros', { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01` }],
  ['version ff', { traceparent: `ff${PARENT.slice(2)}` }],
  ['a second line', { traceparent: `${PARENT}\r\nx: y` }],
  ['too much', { traceparent: PARENT + '-0'.repeat(100) }],
])('given %s, then there is no trace', (_given, headers) => {
  expect(of(headers)).toEqual({});
});

it.each(['a=b\r\nx: y', 'a=é', 'a='.repeat(300), ''])(
  'given the state %j, then the parent is passed on alone',
  (tracestate) => {
    expect(of({ traceparent: PARENT, tracestate })).toEqual({ traceparent: PARENT });
  },
);

describe('of a record', () => {
  const other = PARENT.replace('b7ad', 'aaaa');
  const buffers = (headers: Record<string, string>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));

  it('given attributes of CloudEvents, then they count', () => {
    expect(recordTrace(buffers({ ce_traceparent: PARENT, ce_tracestate: 'a=b' }))).toEqual({
      traceparent: PARENT,
      tracestate: 'a=b',
    });
  });

  it('given headers of the transport as well, then those count, and are not mixed', () => {
    expect(recordTrace(buffers({ traceparent: other, ce_traceparent: PARENT, ce_tracestate: 'a=b' }))).toEqual({
      traceparent: other,
    });
  });
});
