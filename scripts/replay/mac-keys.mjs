import { kafkaClient } from '../lib/kafka-client.mjs';
import { macKeyOf } from './signing.mjs';
import { readToEnd } from './topic-copy.mjs';

/** The packed header of a delivery. */
const PACKED = 'posthorn';

/**
 * Which keys the MACs of dead letters were made with.
 *
 * @param {string[]} brokers
 * @param {string} topic
 * @returns {Promise<{ byKey: Map<string, number>, unsigned: number }>} `unsigned` counts deliveries only
 */
export async function countMacKeys(brokers, topic) {
  const byKey = new Map();
  let unsigned = 0;
  await readToEnd(kafkaClient({ clientId: 'posthorn-reseal', brokers }), topic, async (records) => {
    for (const record of records) {
      const keyId = macKeyOf(record);
      if (keyId !== undefined) byKey.set(keyId, (byKey.get(keyId) ?? 0) + 1);
      else if (record.headers?.[PACKED] !== undefined) unsigned++;
    }
  });
  return { byKey, unsigned };
}
