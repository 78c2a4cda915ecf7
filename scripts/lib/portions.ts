/**
 * Splits records, in order, into portions for one produce request each.
 *
 * @param limits limits of a portion; `overhead`: bytes added per record for its headers
 */
export function portions<Record extends { key: Buffer | string | null; value: Buffer | string | null }>(
  records: readonly Record[],
  limits: { records: number; bytes: number; overhead: number },
): Record[][] {
  const all: Record[][] = [];
  let bytes = 0;
  for (const record of records) {
    const size = (record.value?.length ?? 0) + (record.key?.length ?? 0) + limits.overhead;
    const current = all.at(-1);
    if (current === undefined || current.length === limits.records || bytes + size > limits.bytes) {
      all.push([record]);
      bytes = size;
    } else {
      current.push(record);
      bytes += size;
    }
  }
  return all;
}
