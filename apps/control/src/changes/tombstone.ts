import { CHANGE_HEADER, encodeChange, type RecordedChange } from '#common/records/configuration-change.js';
import type { OutRecord } from '#common/records/record.js';
import type { ConfigurationTopic } from './configuration-topics.js';

/** @param change its version is above that of the record it deletes */
export function tombstone(topic: ConfigurationTopic, key: string, change: RecordedChange): OutRecord {
  return { topic, key, value: null, headers: { [CHANGE_HEADER]: encodeChange(change) } };
}
