import type { ConfigurationRecord } from '#common/kafka/configuration-table.js';
import type { ChangeNumber, RecordedChange } from '#common/records/configuration-change.js';

/** The newest record of a topic under one key. */
export interface TopicEntry {
  /** Of the newest good record, a deletion included; 0 when there is none. */
  readonly version: number;
  /** Undefined for a record of an earlier release, and without a good record. */
  readonly change: RecordedChange | undefined;
  /** The newest good record is no tombstone. */
  readonly isLive: boolean;
  readonly isSigned: boolean;
  /** A record that is ignored, or older, came after the newest good one: compaction would keep that one instead. */
  readonly isShadowed: boolean;
}

/** Keys without a good record that are remembered: a writer to the topic could make any number. */
const MAX_STRANGE_KEYS = 10_000;
const NOTHING: TopicEntry = { version: 0, change: undefined, isLive: false, isSigned: false, isShadowed: false };

/**
 * The content of a compacted topic of configuration by key, by the rule of its readers: the highest version counts.
 * Deterministic and free of I/O.
 */
export class TopicEntries {
  private readonly entries = new Map<string, TopicEntry>();
  private strangeKeys = 0;
  private highestChange: ChangeNumber | undefined;

  /** The topic is empty again. */
  clear(): void {
    this.entries.clear();
    this.strangeKeys = 0;
    this.highestChange = undefined;
  }

  /** The highest change that any good record or marker named. */
  get highest(): ChangeNumber | undefined {
    return this.highestChange;
  }

  get(key: string): TopicEntry | undefined {
    return this.entries.get(key);
  }

  [Symbol.iterator](): IterableIterator<[string, TopicEntry]> {
    return this.entries.entries();
  }

  /**
   * Takes a good record.
   *
   * @param version the value's own; undefined for a tombstone
   * @returns whether it is the newest of its key
   */
  take(record: ConfigurationRecord, version: number | undefined): boolean {
    const { key, change, isSigned } = record;
    const known = this.entries.get(key);
    const newest = change?.version ?? version ?? known?.version ?? 0;
    if (known !== undefined && newest < known.version) {
      this.shadow(key);
      return false;
    }
    this.noteChange(change);
    this.entries.set(key, { version: newest, change, isLive: record.value !== null, isSigned, isShadowed: false });
    return true;
  }

  /** A record of this key came that is ignored. */
  shadow(key: string): void {
    const known = this.entries.get(key);
    if (known === undefined && this.strangeKeys++ >= MAX_STRANGE_KEYS) return;
    this.entries.set(key, { ...(known ?? NOTHING), isShadowed: true });
  }

  noteChange(change: ChangeNumber | undefined): void {
    if (change === undefined || change.sequence === 0) return;
    if (change.sequence < (this.highestChange?.sequence ?? 0)) return;
    this.highestChange = { sequence: change.sequence, id: change.id };
  }
}
