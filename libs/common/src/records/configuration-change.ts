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

/** What a record says about the change that made it. */
export interface RecordedChange extends ChangeNumber {
  /** Of the key. A tombstone's is above that of the record it deletes. */
  readonly version: number;
}

/** A row that no change of this release has numbered. */
export const UNNUMBERED: ChangeNumber = { sequence: 0, id: '' };

export function encodeChange({ sequence, id, version }: RecordedChange): string {
  return [FORMAT, sequence, id, version].join('\n');
}

/** @returns undefined for a record without the header, or with one that is not understood */
export function decodeChange(header: Buffer | undefined): RecordedChange | undefined {
  const [format, sequenceText, id, versionText, ...rest] = header?.toString().split('\n') ?? [];
  if (format !== FORMAT || id === undefined || rest.length > 0) return undefined;
  const sequence = wholeNumber(sequenceText);
  const version = wholeNumber(versionText);
  return sequence === undefined || version === undefined ? undefined : { sequence, id, version };
}

function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}
