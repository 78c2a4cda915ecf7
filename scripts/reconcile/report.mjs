/** @typedef {import('../../apps/control/src/configuration/reconcile.js').Reconciliation} Reconciliation */
/** @typedef {Reconciliation['differences'][number]} Found */

/**
 * What reconciling found and did, for people.
 *
 * @param {Reconciliation} reconciliation
 * @param {{ keep: 'topics' | 'database', isDryRun: boolean }} options
 * @returns {string[]} lines
 */
export function reportOf({ wasAhead, differences }, { keep, isDryRun }) {
  const standing = wasAhead
    ? 'The topics have changes that the database lacks: it was restored, or is another one.'
    : 'The database knows every change of the topics.';
  return [
    standing,
    ...differences.flatMap((found) => linesOf(found, keep)),
    summaryOf(differences.length, keep, isDryRun),
  ];
}

/**
 * @param {Found} found
 * @param {'topics' | 'database'} keep
 */
function linesOf({ topic, key, kind, fields, topicVersion, rowVersion, unknown }, keep) {
  const versions = `topic ${topicVersion ?? '-'}, database ${rowVersion ?? '-'}`;
  const what = { only_on_topic: 'only on the topic', only_in_database: 'only in the database', differs: 'differs' }[
    kind
  ];
  const named = fields.length > 0 ? `: ${fields.join(', ')}` : '';
  const line = `${topic} ${key}  ${what}${named} (versions: ${versions}) → ${outcomeOf(kind, keep)}`;
  if (unknown.length === 0) return [line];
  return [line, `  its record is of an earlier release and lacks: ${unknown.join(', ')}`];
}

/**
 * @param {Found['kind']} kind
 * @param {'topics' | 'database'} keep
 */
function outcomeOf(kind, keep) {
  if (keep === 'topics') return kind === 'only_in_database' ? 'deleted from the database' : 'written to the database';
  return kind === 'only_on_topic' ? 'deleted from the topic' : 'published';
}

/**
 * @param {number} count
 * @param {'topics' | 'database'} keep
 * @param {boolean} isDryRun
 */
function summaryOf(count, keep, isDryRun) {
  if (count === 0) return 'No differences.';
  const differences = `${count} ${count === 1 ? 'difference' : 'differences'}`;
  if (isDryRun) return `${differences}; nothing was changed (--dry-run).`;
  if (keep === 'topics') return `${differences}; the database has what the topics have.`;
  return `${differences}; control publishes them within a second, or when it starts.`;
}
