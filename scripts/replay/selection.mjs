/** Headers of a dead letter; libs/common/src/records/dead-letter-record.ts writes them. */
const REASON = 'posthorn-dead-reason';
const DEAD_AT = 'posthorn-dead-at';
/** The packed header of a delivery; libs/common/src/records/delivery-record.ts writes it. */
const PACKED = 'posthorn';
const EVENT_ID = 2;
const ENDPOINT_ID = 3;
const EVENT_TYPE = 5;

/**
 * What a dead letter says about itself.
 *
 * @typedef {object} DeadLetter
 * @property {string} reason
 * @property {number} at ms since the epoch
 * @property {string} endpointId empty for a record that never was a delivery
 * @property {string} eventId
 * @property {string} eventType
 */

/** @typedef {{ reason?: string | undefined, endpoint?: string | undefined, since?: number | undefined, until?: number | undefined }} Selection times in ms since the epoch */

/**
 * @param {Pick<import('kafkajs').KafkaMessage, 'headers' | 'timestamp'>} record of `dlq`
 * @returns {DeadLetter}
 */
export function readDeadLetter({ headers, timestamp }) {
  const fields = text(headers?.[PACKED]).split('\n');
  return {
    reason: text(headers?.[REASON]),
    at: Date.parse(text(headers?.[DEAD_AT])) || Number(timestamp),
    endpointId: fields[ENDPOINT_ID] ?? '',
    eventId: fields[EVENT_ID] ?? '',
    eventType: fields[EVENT_TYPE] ?? '',
  };
}

/**
 * @param {DeadLetter} letter
 * @param {Selection} selection
 * @returns {boolean} whether everything that was asked for is so
 */
export function isSelected({ reason, at, endpointId }, { reason: wanted, endpoint, since, until }) {
  if (wanted !== undefined && reason !== wanted) return false;
  if (endpoint !== undefined && endpointId !== endpoint) return false;
  return at >= (since ?? Number.NEGATIVE_INFINITY) && at < (until ?? Number.POSITIVE_INFINITY);
}

/** @param {import('kafkajs').IHeaders[string]} header the last one counts where a header is repeated */
function text(header) {
  return String((Array.isArray(header) ? header.at(-1) : header) ?? '');
}
