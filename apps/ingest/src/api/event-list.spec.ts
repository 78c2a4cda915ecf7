import fc from 'fast-check';
import { ProblemError } from '#common/http/problem.js';
import { CLOUD_EVENT_LIST, type ListFormat, listEvents, NATIVE_LIST } from './event-list.js';

const MAX_EVENTS = 4;

/** Lengths and events, or errors. Leaves out V8's text of a syntax error, which the scanner does not copy. */
function read(body: Buffer, format: ListFormat, scanBytes: number): unknown {
  try {
    return listEvents(body, format, MAX_EVENTS, scanBytes).map((event) => [event.bytes, event.read()]);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.extra.errors?.map(({ field, message }) => [field, message.replace(/(is not JSON).*/s, '$1')]);
  }
}

const space = fc.constantFrom('', ' ', '\r\n\t');
const event = fc.oneof(
  fc.constantFrom(
    '{"id":"1","type":"a","data":{"n":1.0}}',
    '{"type":"é","data":"é","x":1}',
    '{"specversion":"1.0","id":"1","source":"s","type":"a","data_base64":"aGk="}',
    '{"specversion":"1.0","id":"1","source":"s","type":"a","data" : [ 2 ], "d\\u0061ta":3}',
  ),
  fc.json({ stringUnit: 'binary', depthSize: 'small' }),
);
const list = fc.tuple(fc.array(event, { maxLength: 5 }), space).map(([events, gap]) => {
  return `${gap}[${gap}${events.join(`${gap},${gap}`)}${gap}]${gap}`;
});
const name = fc.constantFrom('"events"', '"events"', '"events"', '"\\u0065vents"', '"event"', '""');
const wrapped = fc.tuple(fc.array(fc.tuple(name, list), { maxLength: 3 }), space).map(([members, gap]) => {
  return `${gap}{${members.map(([key, value]) => `${gap}${key}${gap}:${value}`).join(',')}}${gap}`;
});
const body = fc.oneof(list, wrapped, fc.json());

describe.each([
  ['native events', NATIVE_LIST],
  ['CloudEvents', CLOUD_EVENT_LIST],
])('a batch of %s, parsed or scanned', (_, format) => {
  it('given any body, whole or with changed bytes, then the events or the errors are the same', () => {
    const change = fc.option(fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.uint8Array({ maxLength: 2 })));
    fc.assert(
      fc.property(body, change, (text, changed) => {
        const whole = Buffer.from(text);
        const [at, remove, insert] = changed ?? [0, 0, new Uint8Array()];
        const position = at % (whole.length + 1);
        const bytes = Buffer.concat([whole.subarray(0, position), insert, whole.subarray(position + remove)]);
        expect(read(bytes, format, 0)).toEqual(read(bytes, format, Number.POSITIVE_INFINITY));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('duration of listEvents', () => {
  it('given 4 MiB of small objects of different shapes, then listEvents takes less than 10 ms a mebibyte', () => {
    const objects = Array.from({ length: 310_000 }, (_, index) => `{"k${index}":0}`).join();
    const whole = Buffer.from(`[{"type":"a","data":[${objects}]}]`);
    const heldMs = Array.from({ length: 10 }, () => {
      const from = performance.now();
      const [first] = listEvents(whole, NATIVE_LIST, MAX_EVENTS);
      expect(first?.read().ok).toBe(true);
      return performance.now() - from;
    });
    // The minimum of ten runs leaves out the time of other processes and of garbage collection.
    expect(Math.min(...heldMs)).toBeLessThan((10 * whole.length) / 1_048_576);
  });
});
