import { MAX_SEQUENCE, MAX_VERSION } from './limits.js';
import { wholeNumberUpTo } from './packed-fields.js';

/**
 * Header of every record of `endpoints` and `api-keys`, tombstones included: four fields, separated by line feeds. Format
 * version, sequence, change id, version of the key. A record of an earlier release has none.
 */
export const CHANGE_HEADER = 'posthorn-change';

const FORMAT = '1';

/** One change of the configuration, as the database numbered it. */
export interface ChangeNumber {
  /** Grows by one with every change of any endpoint or API key; 0 for a row that was last changed by an earlier release. */
  readonly sequence: number;
  /** Random. A restored database gives a sequence again, and never the same id with it. */
  readonly id: string;
}

/** The change that made a record, as its header has it. */
export interface RecordedChange extends ChangeNumber {
  /** Of the key. A tombstone's is above that of the record it deletes. */
  readonly version: number;
}

/** A row that no change of this release has numbered. */
export const UNNUMBERED: ChangeNumber = { sequence: 0, id: '' };

/** The version that follows on a version; the same at the highest one. */
export function nextVersion(version: number): number {
  return Math.min(version + 1, MAX_VERSION);
}

/** A change with a number above the range of records is written as unnumbered: readers would refuse the record. */
export function encodeChange({ sequence, id, version }: RecordedChange): string {
  const change = sequence > MAX_SEQUENCE ? UNNUMBERED : { sequence, id };
  return [FORMAT, change.sequence, change.id, version].join('\n');
}

/**
 * @returns undefined for a record without the header, or with one of an unknown format
 * @throws Error when a field is malformed or out of range
 */
export function decodeChange(header: Buffer | undefined): RecordedChange | undefined {
  const [format, sequenceText, id, versionText, ...rest] = header?.toString().split('\n') ?? [];
  if (format !== FORMAT) return undefined;
  const sequence = wholeNumberUpTo(MAX_SEQUENCE, sequenceText);
  const version = wholeNumberUpTo(MAX_VERSION, versionText);
  if (sequence === undefined) throw new Error(`${CHANGE_HEADER}: the sequence is not within 0 and ${MAX_SEQUENCE}`);
  if (version === undefined) throw new Error(`${CHANGE_HEADER}: the version is not within 0 and ${MAX_VERSION}`);
  if (id === undefined || rest.length > 0) throw new Error(`${CHANGE_HEADER} has not four fields`);
  return { sequence, id, version };
}
