/** Keys of compacted topics that begin with this are markers of the system: neither endpoints nor API keys. */
export const MARKER_PREFIX = 'posthorn:';

/** Key of the marker that carries the highest sequence of both topics. */
export const SEQUENCE_MARKER = `${MARKER_PREFIX}sequence`;

export function isMarkerKey(key: string): boolean {
  return key.startsWith(MARKER_PREFIX);
}
