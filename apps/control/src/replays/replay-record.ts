import { DEAD_HEADERS } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import type { OutRecord } from '#common/records/record.js';
import { decodeHeaders, type StoredHeaders } from '#common/records/stored-headers.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import type { DeadLetterSigner } from '#common/security/dead-letter-signer.js';

/** The columns of a stored dead letter that make its replay. */
export interface ReplayedLetter {
  readonly reason: string;
  readonly key: Buffer;
  readonly value: Buffer | null;
  readonly headers: StoredHeaders;
}

/**
 * The unchanged record with its dead-letter headers, which mark it as a replay. A dead letter that was made before
 * there were MACs, or under a key that is gone, is signed now. A MAC that does not match stays, and is refused.
 */
export function replayRecord(letter: ReplayedLetter, signer: DeadLetterSigner): OutRecord {
  const { key, value } = letter;
  const headers = decodeHeaders(letter.headers);
  return { topic: DELIVERIES_TOPIC, key, value, headers: { ...headers, ...newMac(letter, headers, signer) } };
}

/** A `payload_error` was set aside as it came, from anybody: signing it would make a delivery of a forged record. */
function newMac(
  { reason, key, value }: ReplayedLetter,
  { [DEAD_HEADERS.mac]: mac, [DELIVERY_HEADER]: packed }: Readonly<Record<string, Buffer>>,
  signer: DeadLetterSigner,
): Record<string, string> {
  if (reason === 'payload_error' || value === null || packed === undefined) return {};
  const parts = { key, value, packed };
  if (mac !== undefined && signer.verify(parts, mac) !== 'unknown_key') return {};
  return { [DEAD_HEADERS.mac]: signer.sign(parts) };
}
