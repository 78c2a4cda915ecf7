import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import { kafkaClient } from '../lib/kafka-client.ts';
import { macKeyOf } from './signing.ts';
import { readToEnd } from './topic-copy.ts';

/**
 * Counts dead letters by the key of their MAC.
 *
 * @returns `unsigned` counts deliveries only
 */
export async function countMacKeys(
  brokers: string[],
  topic: string,
): Promise<{ byKey: Map<string, number>; unsigned: number }> {
  const byKey = new Map<string, number>();
  let unsigned = 0;
  await readToEnd(kafkaClient({ clientId: 'posthorn-reseal', brokers }), topic, async (records) => {
    for (const record of records) {
      const keyId = macKeyOf(record);
      if (keyId !== undefined) byKey.set(keyId, (byKey.get(keyId) ?? 0) + 1);
      else if (record.headers?.[DELIVERY_HEADER] !== undefined) unsigned++;
    }
  });
  return { byKey, unsigned };
}
