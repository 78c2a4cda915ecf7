import { leastMs } from '../testing/least-ms.js';
import { CLOUD_EVENT_TYPE } from './cloud-event.js';
import { parseEventRecord } from './event-record.js';

const MIB = 1_048_576;
const LIMIT_MS = 10;

/** Parts without end, until they have as many bytes as an event may. */
function repeated(part: (index: number) => string): string {
  const parts: string[] = [];
  for (let length = 0; length < MIB; ) {
    const next = part(parts.length);
    length += next.length + 1;
    parts.push(next);
  }
  return parts.join(',');
}

/** `JSON.parse` takes 45 to 245 ms for a mebibyte of these. */
const WORST: Readonly<Record<string, () => string>> = {
  'one object of unique names': () => `{${repeated((index) => `"k${index}":0`)}}`,
  'lists nested as deep as possible': () => '['.repeat(MIB / 2) + ']'.repeat(MIB / 2),
  'small objects of different shapes': () => `[${repeated((index) => `{"k${index}":0}`)}]`,
  'small objects of two names each': () => `[${repeated((index) => `{"a${index % 1000}":0,"b${index}":{}}`)}]`,
};

describe('the time it takes', () => {
  describe.each(Object.entries(WORST))('%s', (_, data) => {
    it.each([
      ['a native event', {}],
      ['a structured CloudEvent', { 'content-type': Buffer.from(CLOUD_EVENT_TYPE) }],
      ['a binary CloudEvent', { ce_specversion: '1.0', ce_id: '1', ce_source: 's', ce_type: 'a' }],
    ])('given as %s, then a mebibyte holds the event loop less than 10 ms', async (form, attributes) => {
      const headers = Object.fromEntries(Object.entries(attributes).map(([name, text]) => [name, Buffer.from(text)]));
      const text = data();
      const isBinary = form === 'a binary CloudEvent';
      const cloud = form === 'a native event' ? '' : '"specversion":"1.0","source":"s",';
      const value = Buffer.from(isBinary ? text : `{${cloud}"id":"1","type":"a","data":${text}}`);
      const heldMs = await leastMs(() => {
        const from = performance.now();
        const parsed = parseEventRecord({ value, headers }, 2 * MIB);
        const tookMs = performance.now() - from;
        expect(parsed.ok && parsed.event.rawData.length).toBe(text.length);
        return tookMs;
      }, LIMIT_MS);
      expect(heldMs).toBeLessThan(LIMIT_MS);
    });
  });
});
