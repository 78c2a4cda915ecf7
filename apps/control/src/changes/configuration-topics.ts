import { API_KEYS_TOPIC, ENDPOINTS_TOPIC } from '#common/records/topics.js';

/** Topics that carry configuration, without prefix. */
export const CONFIGURATION_TOPICS = [ENDPOINTS_TOPIC, API_KEYS_TOPIC] as const;
export type ConfigurationTopic = (typeof CONFIGURATION_TOPICS)[number];
