import type { Kept, Reconciliation } from '#control/configuration/reconcile.js';

type Difference = Reconciliation['differences'][number];

/** @returns lines with the differences and their actions */
export function reportOf(
  { wasAhead, differences }: Reconciliation,
  { keep, isDryRun }: { keep: Kept; isDryRun: boolean },
): string[] {
  const standing = wasAhead
    ? 'The topics have changes that the database lacks: it was restored, or is another one.'
    : 'The database knows every change of the topics.';
  return [
    standing,
    ...differences.flatMap((found) => linesOf(found, keep)),
    summaryOf(differences.length, keep, isDryRun),
  ];
}

function linesOf({ topic, key, kind, fields, topicVersion, rowVersion, unknown }: Difference, keep: Kept) {
  const versions = `topic ${topicVersion ?? '-'}, database ${rowVersion ?? '-'}`;
  const what = { only_on_topic: 'only on the topic', only_in_database: 'only in the database', differs: 'differs' }[
    kind
  ];
  const named = fields.length > 0 ? `: ${fields.join(', ')}` : '';
  const line = `${topic} ${key}  ${what}${named} (versions: ${versions}) → ${outcomeOf(kind, keep)}`;
  if (unknown.length === 0) return [line];
  return [line, `  its record is of an earlier release and lacks: ${unknown.join(', ')}`];
}

function outcomeOf(kind: Difference['kind'], keep: Kept) {
  if (keep === 'topics') return kind === 'only_in_database' ? 'deleted from the database' : 'written to the database';
  return kind === 'only_on_topic' ? 'deleted from the topic' : 'published';
}

function summaryOf(count: number, keep: Kept, isDryRun: boolean) {
  if (count === 0) return 'No differences.';
  const differences = `${count} ${count === 1 ? 'difference' : 'differences'}`;
  if (isDryRun) return `${differences}; nothing was changed (--dry-run).`;
  if (keep === 'topics') return `${differences}; the database has what the topics have.`;
  return `${differences}; control publishes them within a second, or when it starts.`;
}
