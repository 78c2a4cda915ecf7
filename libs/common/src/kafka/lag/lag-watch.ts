import { Logger } from '@nestjs/common';
import { monotonicMs } from '../../timing/timing.js';
import { lagRecords, openTransactionRecords, stalledPartitions } from '../port/metrics.js';
import type { KafkaSettings } from '../port/settings.js';
import type { LogOffsets, OffsetsOfGroup, OffsetsReader } from './offsets-reader.js';
import { OpenTransactions } from './open-transactions.js';
import { endRefusal, type Stall, type StallEnd, type StallSample, StallWatch } from './stall-watch.js';

/** The present state of one partition in this process. */
export interface PartitionState extends Pick<StallSample, 'position' | 'unfinished' | 'isPaused' | 'outage' | 'hold'> {}

export interface LagWatchOptions {
  /** Without prefix. */
  readonly topics: readonly string[];
  /** Measures lag from the position read here, not from the group's commit: a table commits nothing. */
  readonly isTable: boolean;
  /** @returns undefined for a partition that this process does not read. `topic` is without prefix */
  readonly stateOf: (topic: string, partition: number) => PartitionState | undefined;
}

/** Between looks; with a short limit half of that limit. */
const LONGEST_LOOK_MS = 5_000;
/** A look takes up to a request's timeout; beyond this the process itself stood still. */
const LONGEST_GAP_MS = 20_000;
/** After this many failed looks in a row, lag is no longer shown. */
const FAILURES_UNTIL_UNKNOWN = 3;
const DEFAULT_STALL_MS = 30_000;

/** Measures a consumer's lag at the broker, and names the partitions that stand still. */
export class LagWatch {
  private readonly logger = new Logger(LagWatch.name);
  private readonly watch: StallWatch;
  private readonly lookMs: number;
  private readonly stallMs: number;
  private readonly transactions = new OpenTransactions();
  private isTransactionLogged = false;
  private stalls: readonly Stall[] = [];
  private readonly offsets = new Map<string, LogOffsets>();
  private readonly refusals = new Map<string, string>();
  private failures = 0;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly settings: KafkaSettings,
    private readonly reader: OffsetsReader,
    private readonly options: LagWatchOptions,
  ) {
    const stallMs = settings.stallMs ?? DEFAULT_STALL_MS;
    this.stallMs = stallMs;
    this.watch = new StallWatch({ stallMs, longestGapMs: LONGEST_GAP_MS });
    this.lookMs = Math.min(LONGEST_LOOK_MS, stallMs / 2);
  }

  start(): void {
    this.timer ??= setInterval(() => {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
    }, this.lookMs);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    this.hideLag();
    this.show([]);
    await this.reader.close();
  }

  /** For readiness: which partitions stand still. A table behind an open transaction lacks configuration. */
  problem(): string | undefined {
    if (this.stalls.length > 0) return this.stalls.map(describe).join('; ');
    return this.options.isTable ? this.heldByTransaction() : undefined;
  }

  /** For readiness: which partitions an open transaction has held for longer than a stall. A restart does not help. */
  heldByTransaction(): string | undefined {
    return this.transactions.report(monotonicMs(), this.stallMs);
  }

  private async look(): Promise<void> {
    try {
      const offsets = await this.reader.read();
      if (this.isClosed) return;
      this.failures = 0;
      this.showLag(offsets.logs);
      this.noteTransactions(offsets.logs);
      this.reportStalls(this.watch.look(monotonicMs(), this.samples(offsets)));
    } catch (error) {
      if (this.isClosed) return;
      this.lookFailed(error);
    }
    await this.endForStall().catch((error: unknown) => this.logger.warn({ err: error }, 'stall.end_not_stored'));
  }

  private noteTransactions(logs: readonly LogOffsets[]): void {
    const named = logs.map((log) => ({ ...log, name: `${this.short(log.topic)}/${log.partition}` }));
    this.transactions.look(monotonicMs(), named);
    const problem = this.heldByTransaction();
    if (problem !== undefined && !this.isTransactionLogged) this.logger.error({ problem }, 'partition.in_transaction');
    this.isTransactionLogged = problem !== undefined;
  }

  private lookFailed(error: unknown): void {
    this.logger.debug({ err: error }, 'lag.unknown');
    this.watch.lookFailed(monotonicMs());
    this.failures++;
    if (this.failures > 1) this.show([]);
    if (this.failures === FAILURES_UNTIL_UNKNOWN) this.hideLag();
  }

  private samples({ logs, missing, leaderless }: OffsetsOfGroup): StallSample[] {
    const unwritable = leaderless.length > 0 ? `no leader of ${leaderless.join(', ')}` : undefined;
    const none = { stable: 0, commit: 0, position: 0, unfinished: 0, isPaused: false };
    const absent = missing.map((topic) => ({ ...none, name: this.short(topic), isMissing: true }));
    const samples = logs.flatMap((log): StallSample[] => {
      const topic = this.short(log.topic);
      const state = this.options.stateOf(topic, log.partition);
      if (state === undefined) return [];
      const { commit, stable, outage = state.outage } = log;
      const name = `${topic}/${log.partition}`;
      const { hold = unwritable } = state;
      return [{ ...state, name, commit: this.from(commit, state), stable, outage, hold }];
    });
    return [...absent, ...samples];
  }

  /** Where lag begins. */
  private from(commit: number, state: PartitionState | undefined): number {
    return this.options.isTable ? Math.max(commit, state?.position ?? 0) : commit;
  }

  private reportStalls(stalls: readonly Stall[]): void {
    for (const { name, kind, stalledMs, sample } of stalls.filter(({ isNew }) => isNew)) {
      const { stable, commit, position, unfinished } = sample;
      const at = { last_stable_offset: stable, commit, position, unfinished };
      this.logger.error(
        { partition: name, kind, stalled_s: Math.round(stalledMs / 1_000), ...at },
        'partition.stalled',
      );
    }
    const names = new Set(stalls.map(({ name }) => name));
    for (const { name } of this.stalls) {
      if (names.has(name)) continue;
      this.refusals.delete(name);
      this.logger.warn({ partition: name }, 'partition.moves_again');
    }
    this.show(stalls);
  }

  /**
   * Ends the process for a partition that has stood still for twice the limit. The end is stored in Kafka first: the next
   * process, here or elsewhere, must not end for it again within ten minutes.
   */
  private async endForStall(): Promise<void> {
    for (const stall of this.stalls.filter(({ isLong }) => isLong)) {
      const refusal = endRefusal(await this.reader.lastEnd(...this.placeOf(stall)), endOf(stall));
      if (refusal === undefined) {
        await this.end(stall);
        return;
      }
      if (this.refusals.get(stall.name) !== refusal) {
        this.refusals.set(stall.name, refusal);
        this.logger.warn({ partition: stall.name, why: refusal }, 'stall.process_goes_on');
      }
    }
  }

  /** One restart is for all that stand still: none of them may cause another one soon. */
  private async end(stall: Stall): Promise<void> {
    for (const other of this.stalls) await this.reader.noteEnd(...this.placeOf(other), endOf(other));
    if (!this.isClosed) this.settings.onFatal(new Error(`stalled: ${describe(stall)}`));
  }

  /** A missing topic has no partition to remember anything by: the first topic that exists keeps it. */
  private placeOf({ name, kind }: Stall): [topic: string, partition: number] {
    if (kind === 'missing') return [this.offsets.values().next().value?.topic ?? this.settings.prefix + name, 0];
    const slash = name.lastIndexOf('/');
    return [this.settings.prefix + name.slice(0, slash), Number(name.slice(slash + 1))];
  }

  private show(stalls: readonly Stall[]): void {
    this.stalls = stalls;
    const counts = Map.groupBy(stalls, ({ name, kind }) =>
      kind === 'missing' ? name : name.slice(0, name.lastIndexOf('/')),
    );
    for (const topic of this.options.topics) stalledPartitions.set({ topic }, counts.get(topic)?.length ?? 0);
  }

  private showLag(logs: readonly LogOffsets[]): void {
    this.hideLag();
    for (const log of logs) {
      if (log.outage !== undefined) continue;
      const topic = this.short(log.topic);
      const labels = { topic, partition: log.partition };
      const from = this.from(log.commit, this.options.stateOf(topic, log.partition));
      lagRecords.set(labels, Math.max(0, log.stable - from));
      openTransactionRecords.set(labels, Math.max(0, log.end - log.stable));
      this.offsets.set(`${topic}/${log.partition}`, log);
    }
  }

  private hideLag(): void {
    for (const { topic, partition } of this.offsets.values()) {
      lagRecords.remove({ topic: this.short(topic), partition });
      openTransactionRecords.remove({ topic: this.short(topic), partition });
    }
    this.offsets.clear();
  }

  private short(topic: string): string {
    return topic.slice(this.settings.prefix.length);
  }
}

function endOf({ sample: { commit, stable } }: Stall): StallEnd {
  return { at: Date.now(), commit, stable };
}

function describe({ name, kind, stalledMs, sample: { stable, commit } }: Stall): string {
  const seconds = Math.round(stalledMs / 1_000);
  if (kind === 'missing') return `topic ${name} has been missing for ${seconds} s`;
  return `${name} has stood still for ${seconds} s, ${stable - commit} records behind (${kind})`;
}
