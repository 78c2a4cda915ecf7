import type { ConfigurationRecord } from '#common/kafka/configuration-table.js';
import type { ChangeNumber } from '#common/records/configuration-change.js';

/** The newest record of a topic under one key. */
export interface TopicEntry {
  /** Of the newest good record, a deletion included; 0 when there is none. */
  readonly version: number;
  /** The record names its change. One of an earlier release does not. */
  readonly isNumbered: boolean;
  /** The newest good record is no tombstone. */
  readonly isLive: boolean;
  readonly isSigned: boolean;
  /** A record that is ignored, or older, came after the newest good one: compaction would keep that one instead. */
  readonly isShadowed: boolean;
}

/** Keys without a good record that are remembered: a writer to the topic could make any number. */
const MAX_STRANGE_KEYS = 10_000;
const NOTHING: TopicEntry = { version: 0, isNumbered: false, isLive: false, isSigned: false, isShadowed: false };

/**
 * The content of a compacted topic of configuration by key, by the rule of its readers: the highest version counts.
 * Deterministic and free of I/O.
 */
export class TopicEntries {
  /** One number an entry: of a hundred thousand endpoints the objects would take 15 MB. */
  private readonly entries = new Map<string, number>();
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
    const packed = this.entries.get(key);
    return packed === undefined ? undefined : unpacked(packed);
  }

  keys(): IterableIterator<string> {
    return this.entries.keys();
  }

  /**
   * Takes a good record.
   *
   * @param version the value's own; undefined for a tombstone
   * @returns whether it is the newest of its key
   */
  take(record: ConfigurationRecord, version: number | undefined): boolean {
    const { key, change, isSigned } = record;
    const known = this.get(key);
    const newest = change?.version ?? version ?? known?.version ?? 0;
    if (known !== undefined && newest < known.version) {
      this.shadow(key);
      return false;
    }
    this.noteChange(change);
    this.set(key, {
      version: newest,
      isNumbered: change !== undefined,
      isLive: record.value !== null,
      isSigned,
      isShadowed: false,
    });
    return true;
  }

  /** A record of this key came that is ignored. */
  shadow(key: string): void {
    const known = this.get(key);
    if (known === undefined && this.strangeKeys++ >= MAX_STRANGE_KEYS) return;
    this.set(key, { ...(known ?? NOTHING), isShadowed: true });
  }

  noteChange(change: ChangeNumber | undefined): void {
    if (change === undefined || change.sequence === 0) return;
    if (change.sequence < (this.highestChange?.sequence ?? 0)) return;
    this.highestChange = { sequence: change.sequence, id: change.id };
  }

  private set(key: string, entry: TopicEntry): void {
    this.entries.set(key, packed(entry));
  }
}

const FLAGS = ['isNumbered', 'isLive', 'isSigned', 'isShadowed'] as const satisfies readonly (keyof TopicEntry)[];
const FLAG_VALUES = 2 ** FLAGS.length;

function packed(entry: TopicEntry): number {
  return FLAGS.reduce((sum, flag, bit) => sum + (entry[flag] ? 2 ** bit : 0), entry.version * FLAG_VALUES);
}

function unpacked(number: number): TopicEntry {
  const has = (flag: (typeof FLAGS)[number]) => Math.floor(number / 2 ** FLAGS.indexOf(flag)) % 2 === 1;
  return {
    version: Math.floor(number / FLAG_VALUES),
    isNumbered: has('isNumbered'),
    isLive: has('isLive'),
    isSigned: has('isSigned'),
    isShadowed: has('isShadowed'),
  };
}
