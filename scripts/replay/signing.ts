import type { KafkaMessage } from 'kafkajs';
import { DEAD_HEADERS } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import { type DeadLetterSigner, macKeyId } from '#common/security/dead-letter-signer.js';
import { lastHeaders } from './headers.ts';

/**
 * The headers of a dead letter with a new MAC. A `payload_error` keeps its headers: any producer may have
 * written it.
 *
 * @param record of `dlq`
 */
export function signedHeaders(
  { key, value, headers = {} }: Pick<KafkaMessage, 'key' | 'value' | 'headers'>,
  signer: Pick<DeadLetterSigner, 'sign'>,
): KafkaMessage['headers'] {
  const { [DELIVERY_HEADER]: packed, [DEAD_HEADERS.reason]: reason } = lastHeaders(headers);
  if (!key || !value || packed === undefined || reason === undefined) return headers;
  if (reason.toString() === 'payload_error') return headers;
  return { ...headers, [DEAD_HEADERS.mac]: signer.sign({ key, value, packed }) };
}

/**
 * @param record of `dlq`
 * @returns id of the MAC's key; undefined without a MAC
 */
export function macKeyOf({ headers }: Pick<KafkaMessage, 'headers'>): string | undefined {
  const mac = lastHeaders(headers)[DEAD_HEADERS.mac];
  return mac === undefined ? undefined : macKeyId(mac);
}
