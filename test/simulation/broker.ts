import type { Random } from '#common/domain/testing/random.js';
import type { InRecord } from '#common/records/record.js';
import type { Moment, VirtualTime } from './virtual-time.js';

/** A group's last commit of a partition. */
export interface GroupCommit {
  readonly offset: number;
  readonly metadata: string;
}

/** Observer of appends and commits. */
export interface BrokerWitness {
  appended(record: InRecord): void;
  committed(groupId: string, log: string, commit: GroupCommit): void;
}

interface Waiting {
  readonly from: ReadonlyMap<string, number>;
  readonly answer: () => void;
}

/** The name of a log: its topic and partition. */
export function logName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** Partitioned append-only logs, and the groups' commits. */
export class Broker {
  private readonly logs = new Map<string, InRecord[]>();
  private readonly commits = new Map<string, GroupCommit>();
  private readonly furthest = new Map<string, number>();
  private waiting: Waiting[] = [];

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
    private readonly witness: BrokerWitness,
  ) {}

  append(topic: string, partition: number, content: Pick<InRecord, 'key' | 'value' | 'headers'>): InRecord {
    const log = this.log(logName(topic, partition));
    const { key, value, headers } = content;
    const timestamp = Math.floor(this.time.now);
    const record = { topic, partition, offset: log.length, timestamp, key, value, headers };
    log.push(record);
    this.witness.appended(record);
    this.wake();
    return record;
  }

  log(name: string): InRecord[] {
    const known = this.logs.get(name);
    if (known) return known;
    const log: InRecord[] = [];
    this.logs.set(name, log);
    return log;
  }

  /** Resolves when one of the logs has a record at or above its position, or after `ms`. */
  whenReadable(from: ReadonlyMap<string, number>, maxWaitMs: number, answer: () => void): void {
    if (this.isReadable(from)) {
      answer();
      return;
    }
    let timeout: Moment | undefined;
    const waiting: Waiting = {
      from,
      answer: () => {
        if (timeout) timeout.isCancelled = true;
        answer();
      },
    };
    this.waiting.push(waiting);
    timeout = this.time.after(maxWaitMs, () => {
      this.waiting = this.waiting.filter((other) => other !== waiting);
      answer();
    });
  }

  /** At most `most` records from this position on; at random fewer than exist. */
  read(name: string, position: number, most: number): InRecord[] {
    const count = 1 + this.random.pick(most);
    return this.log(name).slice(position, position + count);
  }

  /** @returns undefined when the group never committed an offset of this log */
  commitOf(groupId: string, log: string): GroupCommit | undefined {
    return this.commits.get(`${groupId} ${log}`);
  }

  /** Stores a commit. A late commit with a lower offset overwrites a higher one, which only causes repeats. */
  furthestOf(groupId: string, log: string): number {
    return this.furthest.get(`${groupId} ${log}`) ?? 0;
  }

  commit(groupId: string, log: string, commit: GroupCommit): void {
    const key = `${groupId} ${log}`;
    this.commits.set(key, commit);
    this.furthest.set(key, Math.max(commit.offset, this.furthest.get(key) ?? 0));
    this.witness.committed(groupId, log, commit);
  }

  /** Logs of a topic that have records, with their ends. */
  ends(topics: readonly string[]): [string, number][] {
    return [...this.logs].flatMap(([name, log]) =>
      topics.includes(name.slice(0, name.lastIndexOf('/'))) ? [[name, log.length] as [string, number]] : [],
    );
  }

  private isReadable(from: ReadonlyMap<string, number>): boolean {
    for (const [name, position] of from) if (this.log(name).length > position) return true;
    return false;
  }

  private wake(): void {
    if (this.waiting.length === 0) return;
    const ready = this.waiting.filter(({ from }) => this.isReadable(from));
    if (ready.length === 0) return;
    this.waiting = this.waiting.filter((waiting) => !ready.includes(waiting));
    for (const { answer } of ready) answer();
  }
}
