const EVENT_BYTES = 500;
const LONGEST_FRAME = '{"id":"","type":"","resource_id":"","data":{"at":1700000000000,"fill":""}}'.length;

/**
 * An event of about 500 bytes. `data` begins with the time of sending, where the receiver looks for it.
 *
 * @param {{ id: string, type: string, resource: string, at: number }} event `at` in ms since the epoch
 */
export function eventValue({ id, type, resource, at }) {
  const fill = 'x'.repeat(Math.max(0, EVENT_BYTES - LONGEST_FRAME - id.length - type.length - resource.length));
  return `{"id":"${id}","type":"${type}","resource_id":"${resource}","data":{"at":${at},"fill":"${fill}"}}`;
}
