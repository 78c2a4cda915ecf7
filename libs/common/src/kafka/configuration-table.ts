import { Logger } from '@nestjs/common';
import { CHANGE_HEADER, decodeChange, type RecordedChange } from '../records/configuration-change.js';
import { isMarkerKey, SEQUENCE_MARKER } from '../records/marker.js';
import type { InRecord } from '../records/record.js';
import type { Authenticity } from '../security/record-signature.js';
import type { CompactedTable } from './port/compacted-table.js';
import type { KafkaClient } from './port/kafka-client.js';
import { ignoredConfigurationRecords, unsignedConfigurationRecords } from './port/metrics.js';
import type { RecordTrust } from './port/settings.js';

/** A record of `endpoints` or `api-keys` that may be used. */
export interface ConfigurationRecord {
  readonly key: string;
  /** Null for a tombstone. */
  readonly value: Buffer | null;
  /** Undefined for a record of an earlier release. */
  readonly change: RecordedChange | undefined;
  readonly isSigned: boolean;
}

/** Why a record is ignored. */
export type IgnoredReason = 'malformed' | 'forged' | 'unsigned';

export interface ConfigurationTableOptions {
  /** Without prefix. */
  readonly topic: string;
  /** Takes one record, in log order. When it throws, the record is malformed and the last good configuration stays. */
  readonly apply: (record: ConfigurationRecord) => void;
  /** The marker of the sequence. */
  readonly onMarker?: (record: ConfigurationRecord) => void;
  /** A marker of another kind; null deletes it. When it throws, the marker is malformed and the last good one stays. */
  readonly onOtherMarker?: (key: string, value: Buffer | null) => void;
  /** The topic was made again, or lost records that were read: it is read from its first record. */
  readonly onReplaced?: () => void;
  /** A record under this key was ignored. */
  readonly onIgnored?: (key: string) => void;
}

/** Signatures under verification: enough for every thread, and a fetch of thousands does not hold the event loop. */
const CHECKED_AT_ONCE = 64;

/** Signed records are required, and the topic has others that control has not replaced yet. */
export class UnsignedRecordsError extends Error {}

/**
 * Follows a topic of configuration. A record that is malformed, forged, or unsigned where signatures are required is
 * ignored, logged and counted: the last good configuration of its key stays.
 */
export class ConfigurationTable {
  private readonly logger = new Logger(ConfigurationTable.name);
  private readonly table: CompactedTable;
  private readonly trust: RecordTrust | undefined;
  private readonly authenticity = new WeakMap<InRecord, Authenticity>();
  private readonly whole = Promise.withResolvers<void>();
  private ignoredUnsigned = 0;
  private isWhollySigned = false;
  /** The present log has control's marker. */
  private hasMarker = false;
  /** The table was complete in a former log: its rows stay until the present one replaces them. */
  private wasComplete = false;

  constructor(
    client: KafkaClient,
    private readonly options: ConfigurationTableOptions,
  ) {
    this.trust = client.settings.trust;
    this.table = client.table({
      topic: options.topic,
      prepare: (records) => this.authenticate(records),
      apply: (key, _value, record) => this.take(key, record),
      onReplaced: () => {
        this.wasComplete = this.isComplete;
        this.hasMarker = false;
        options.onReplaced?.();
      },
    });
  }

  /** For readiness: undefined while the topic is read, else why it is not. */
  problem(): string | undefined {
    return this.table.problem();
  }

  get isCaughtUp(): boolean {
    return this.table.isCaughtUp;
  }

  /**
   * As {@link CompactedTable.start}.
   *
   * @throws UnsignedRecordsError when signatures are required before control has signed all records
   */
  async start(): Promise<void> {
    await this.table.start();
    if (this.ignoredUnsigned === 0 || this.isWhollySigned) return;
    throw new UnsignedRecordsError(
      `${this.ignoredUnsigned} records of ${this.options.topic} are not signed: start control once with CONFIG_SIGNING_KEY and without REQUIRE_SIGNED_RECORDS, which signs them`,
    );
  }

  /**
   * Whether control has written its whole configuration into this log: its marker follows the last record. A log that was
   * made again lacks the marker until then, so an absent key says nothing.
   */
  get isComplete(): boolean {
    return this.wasComplete || (this.table.isCaughtUp && this.hasMarker);
  }

  /** Starts the table. Resolves when {@link isComplete}, however late control is. @throws as {@link start} does */
  async startComplete(): Promise<void> {
    await this.start();
    if (!this.isComplete) await this.whole.promise;
  }

  /** For readiness: undefined when the table is complete and follows its topic. */
  completeProblem(): string | undefined {
    if (this.isComplete) return this.problem();
    if (!this.table.isCaughtUp) return this.problem() ?? `${this.options.topic} is not read to its end yet`;
    return `${this.options.topic} waits for control, which has not written all records into this log yet`;
  }

  catchUp(): Promise<void> {
    return this.table.catchUp();
  }

  /**
   * Resolves when the table has every record that control has written by now. A key that is still absent then does not exist.
   *
   * @throws as {@link CompactedTable.catchUp} does, and while the present log lacks control's marker
   */
  async catchUpWhole(): Promise<void> {
    await this.table.catchUp();
    if (!this.hasMarker) throw new Error(`${this.options.topic} lacks the marker of control`);
  }

  /** As {@link CompactedTable.checkLog}. */
  checkLog(): Promise<void> {
    return this.table.checkLog();
  }

  stop(): Promise<void> {
    return this.table.stop();
  }

  private async authenticate(records: readonly InRecord[]): Promise<void> {
    const verifier = this.trust?.verifier;
    if (verifier === undefined) return;
    for (let from = 0; from < records.length; from += CHECKED_AT_ONCE) {
      const check = async (record: InRecord) => void this.authenticity.set(record, await verifier.check(record));
      await Promise.all(records.slice(from, from + CHECKED_AT_ONCE).map(check));
    }
  }

  private take(key: string, record: InRecord): void {
    const problem = this.trustProblem(record, isMarkerKey(key));
    if (problem !== undefined) {
      this.ignore(key, record, problem);
      return;
    }
    try {
      this.use(key, record);
    } catch (error) {
      this.ignore(key, record, 'malformed', error);
    }
  }

  /** @throws Error when the record is malformed, or has a number out of range */
  private use(key: string, record: InRecord): void {
    const isMarker = isMarkerKey(key);
    if (isMarker && key !== SEQUENCE_MARKER) {
      this.options.onOtherMarker?.(key, record.value);
      return;
    }
    const isSigned = this.authenticity.get(record) === 'signed';
    const change = decodeChange(record.headers[CHANGE_HEADER]);
    const taken = { key, value: record.value, change, isSigned };
    if (isMarker) this.takeMarker(taken);
    else this.options.apply(taken);
  }

  /** @returns why the record must not be used, if so */
  private trustProblem(record: InRecord, isMarker: boolean): IgnoredReason | undefined {
    if (this.trust?.verifier === undefined) return undefined;
    const authenticity = this.authenticity.get(record) ?? 'forged';
    if (authenticity === 'signed') return undefined;
    if (authenticity === 'forged') return 'forged';
    if (this.trust.isSignatureRequired) {
      if (!isMarker) this.ignoredUnsigned++;
      return 'unsigned';
    }
    unsignedConfigurationRecords.inc({ topic: this.options.topic });
    return undefined;
  }

  /** A signed marker says that control has signed every record before it. */
  private takeMarker(record: ConfigurationRecord): void {
    if (record.value === null) throw new Error('control deletes no marker');
    if (record.isSigned) this.isWhollySigned = true;
    this.hasMarker = true;
    if (this.isComplete) this.whole.resolve();
    this.options.onMarker?.(record);
  }

  private ignore(key: string, record: InRecord, reason: IgnoredReason, error?: unknown): void {
    const { topic, partition, offset } = record;
    ignoredConfigurationRecords.inc({ topic, reason });
    this.logger.error(
      { err: error, topic, partition, offset, key: key.slice(0, 200), reason },
      'configuration.record_ignored',
    );
    this.options.onIgnored?.(key);
  }
}
