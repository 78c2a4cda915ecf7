import type { KafkaSettings } from '../../port/settings.js';
import { createKafka } from '../connection/client.js';

/** Whether a consumer group has members now. @param groupId without prefix */
export async function hasMembers(settings: KafkaSettings, groupId: string): Promise<boolean> {
  const admin = createKafka(settings).admin({ retry: { retries: 5 } });
  await admin.connect();
  try {
    const { groups } = await admin.describeGroups([settings.prefix + groupId]);
    return groups.some(({ members }) => members.length > 0);
  } finally {
    await admin.disconnect();
  }
}
