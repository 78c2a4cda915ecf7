/** Headers; libs/common/src/records/dead-letter-record.ts and delivery-record.ts write them. */
const MAC = 'posthorn-mac';
const PACKED = 'posthorn';
const REASON = 'posthorn-dead-reason';

/** @typedef {import('kafkajs').KafkaMessage} LogRecord */
/** @typedef {{ sign: (parts: { key: Buffer, value: Buffer, packed: Buffer }) => string }} Signer */

/**
 * The headers of a dead letter with a new MAC. What was set aside as `payload_error` came from anybody and may be forged: it
 * keeps the headers it has.
 *
 * @param {Pick<LogRecord, 'key' | 'value' | 'headers'>} record of `dlq`
 * @param {Signer} signer
 * @returns {LogRecord['headers']}
 */
export function signedHeaders({ key, value, headers = {} }, signer) {
  const packed = last(headers[PACKED]);
  const reason = last(headers[REASON])?.toString();
  if (!key || !value || packed === undefined || reason === undefined || reason === 'payload_error') return headers;
  return { ...headers, [MAC]: signer.sign({ key, value, packed }) };
}

/**
 * @param {Pick<LogRecord, 'headers'>} record of `dlq`
 * @returns {string | undefined} the id of the key its MAC was made with; undefined when it has none
 */
export function macKeyOf({ headers }) {
  return last(headers?.[MAC])?.toString().split(':')[1];
}

/**
 * @param {import('kafkajs').IHeaders[string]} header the last one counts where a header is repeated
 * @returns {Buffer | undefined}
 */
function last(header) {
  const value = Array.isArray(header) ? header.at(-1) : header;
  return value === undefined ? undefined : Buffer.from(value);
}
