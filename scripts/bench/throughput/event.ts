const EVENT_BYTES = 500;
const LONGEST_FRAME = '{"id":"","type":"","resource_id":"","data":{"at":1700000000000,"fill":""}}'.length;

/** `at` in ms since the epoch; 500 bytes by default */
export interface BenchEvent {
  id: string;
  type: string;
  resource: string;
  at: number;
  tenant?: string;
  bytes?: number;
}

/** An event of about `bytes`. `data` begins with the time of sending, which the receiver reads. */
export function eventValue(event: BenchEvent) {
  const { id, type, resource, tenant } = event;
  const owner = tenant === undefined ? '' : `"tenant":"${tenant}",`;
  return `{"id":"${id}",${owner}"type":"${type}","resource_id":"${resource}","data":${dataOf(event)}}`;
}

/** The message of such an event. */
export function deliveredBody(event: BenchEvent) {
  const { id, type, resource, at } = event;
  const head = `{"id":"${id}","type":"${type}","occurred_at":"${new Date(at).toISOString()}","sequence":${at}`;
  return `${head},"resource_id":"${resource}","data":${dataOf(event)}}`;
}

function dataOf({ id, type, resource, at, bytes = EVENT_BYTES }: BenchEvent) {
  const fill = 'x'.repeat(Math.max(0, bytes - LONGEST_FRAME - id.length - type.length - resource.length));
  return `{"at":${at},"fill":"${fill}"}`;
}
