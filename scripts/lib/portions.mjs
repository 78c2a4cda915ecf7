/**
 * Splits records, in order, so that each portion is small enough for one produce.
 *
 * @template {{ key: Buffer | string | null, value: Buffer | string | null }} Record
 * @param {readonly Record[]} records
 * @param {{ records: number, bytes: number, overhead: number }} limits of a portion; `overhead` counts for each record's headers
 * @returns {Record[][]}
 */
export function portions(records, limits) {
  /** @type {Record[][]} */
  const all = [];
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
