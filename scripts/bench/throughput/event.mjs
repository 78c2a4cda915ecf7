const EVENT_BYTES = 500;
const LONGEST_FRAME = '{"id":"","type":"","resource_id":"","data":{"at":1700000000000,"fill":""}}'.length;

/** @typedef {{ id: string, type: string, resource: string, at: number }} BenchEvent `at` in ms since the epoch */

/**
 * An event of about 500 bytes. `data` begins with the time of sending, where the receiver looks for it.
 *
 * @param {BenchEvent} event
 */
export function eventValue(event) {
  const { id, type, resource } = event;
  return `{"id":"${id}","type":"${type}","resource_id":"${resource}","data":${dataOf(event)}}`;
}

/**
 * What an endpoint gets of such an event.
 *
 * @param {BenchEvent} event
 */
export function deliveredBody(event) {
  const { id, type, resource, at } = event;
  const head = `{"id":"${id}","type":"${type}","occurred_at":"${new Date(at).toISOString()}","sequence":${at}`;
  return `${head},"resource_id":"${resource}","data":${dataOf(event)}}`;
}

/** @param {BenchEvent} event */
function dataOf({ id, type, resource, at }) {
  const fill = 'x'.repeat(Math.max(0, EVENT_BYTES - LONGEST_FRAME - id.length - type.length - resource.length));
  return `{"at":${at},"fill":"${fill}"}`;
}
