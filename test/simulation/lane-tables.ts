import type { LaneRow } from '#common/domain/lane-machine.js';
import { SimulatedDatabase } from '#common/domain/testing/lane-database.js';
import type { LaneCommand, LaneCommands, OpenCommand } from '#common/postgres/lane-commands.js';
import {
  FencedError,
  type LaneStore,
  type LaneWrite,
  type LogEpoch,
  type ParkedRecord,
} from '#common/postgres/lane-store.js';
import type { Network } from './network.js';

type LogTables = SimulatedDatabase<ParkedRecord>;
type Public<Part> = Pick<Part, keyof Part>;

/** PostgreSQL's tables of the lane protocol, by log, with the operators' commands. */
export class LaneTables {
  readonly logs = new Map<string, LogTables>();
  private readonly dueAt = new Map<string, number | undefined>();
  private commands: (LaneCommand & { readonly log: string })[] = [];

  log(name: string): LogTables {
    const known = this.logs.get(name);
    if (known) return known;
    const made: LogTables = new SimulatedDatabase(false, undefined);
    this.logs.set(name, made);
    return made;
  }

  fenced({ log, epoch }: LogEpoch): LogTables {
    const tables = this.log(log);
    if (tables.epoch !== epoch) throw new FencedError(log);
    return tables;
  }

  write(epoch: LogEpoch, writes: readonly LaneWrite[]): void {
    const tables = this.fenced(epoch);
    for (const { lane, row, park, removeUpTo, remove } of writes) {
      const stored: LaneRow | undefined = row && { place: row.place, attempt: row.attempt };
      tables.transact(lane, {
        ...(stored ? { row: stored } : {}),
        ...(park
          ? { park: park.map((work) => ({ place: work.place, attempt: work.attempt, offset: undefined, work })) }
          : {}),
        ...(removeUpTo === undefined ? {} : { removeUpTo }),
        ...(remove ? { remove } : {}),
      });
      if (stored && tables.rows.get(lane) === stored) this.dueAt.set(`${epoch.log} ${lane}`, row?.dueAt);
    }
  }

  dueOf(log: string, lane: string): number | undefined {
    return this.dueAt.get(`${log} ${lane}`);
  }

  /** Every parked row of a log, lowest place first. */
  parked(log: string): ParkedRecord[] {
    const tables = this.log(log);
    const rows = tables.lanesWithParked().flatMap((lane) => tables.lowest(lane, Number.POSITIVE_INFINITY));
    return rows.map(({ work }) => work).sort((a, b) => a.place - b.place);
  }

  /** Parked rows of an endpoint in a log, except those behind a head that waits in a tier, lowest place first. */
  drainable(log: string, endpointId: string): ParkedRecord[] {
    const { rows } = this.log(log);
    return this.parked(log).filter(({ endpointId: own, lane, place }) => {
      const row = rows.get(lane);
      return own === endpointId && (row?.attempt === undefined || row.place >= place);
    });
  }

  ask(log: string, command: LaneCommand): void {
    this.commands.push({ ...command, log });
  }

  openCommands(log: string): LaneCommand[] {
    this.commands = this.commands.filter((command) => {
      const row = this.log(command.log).rows.get(command.lane);
      const isOver = row && (row.place > command.place || (row.place === command.place && row.attempt === undefined));
      return !isOver;
    });
    return this.commands.filter((command) => command.log === log);
  }
}

/** The product's LaneStore, over these tables. */
export class SimulatedLaneStore implements Public<LaneStore> {
  constructor(
    private readonly tables: LaneTables,
    private readonly network: Network,
  ) {}

  epochOf(log: string): Promise<LogEpoch> {
    return this.network.ask('postgres', () => ({ log, epoch: this.tables.log(log).epoch }));
  }

  epochsOf(logs: readonly string[]): Promise<Map<string, number>> {
    return this.network.ask('postgres', () => new Map(logs.map((log) => [log, this.tables.log(log).epoch])));
  }

  raiseEpoch(seen: LogEpoch): Promise<LogEpoch> {
    return this.network.ask('postgres', () => ({ log: seen.log, epoch: ++this.tables.fenced(seen).epoch }));
  }

  async *waitingLanes(log: string, start: number): AsyncGenerator<string[]> {
    yield await this.network.ask('postgres', () => {
      const { rows } = this.tables.log(log);
      const named = [...rows].filter(([, row]) => row.attempt !== undefined || row.place >= start);
      return [...new Set([...named.map(([lane]) => lane), ...this.tables.log(log).lanesWithParked()])].sort();
    });
  }

  load(epoch: LogEpoch, lanes: readonly string[]) {
    return this.network.ask('postgres', () => {
      const tables = this.tables.fenced(epoch);
      return lanes.map((lane) => ({
        lane,
        row: tables.rows.get(lane),
        dueAt: this.tables.dueOf(epoch.log, lane),
        lowestParked: tables.lowest(lane, 1)[0]?.place,
      }));
    });
  }

  write(epoch: LogEpoch, writes: readonly LaneWrite[]): Promise<void> {
    return this.network.ask('postgres', () => this.tables.write(epoch, writes));
  }

  rehearse(epoch: LogEpoch): Promise<void> {
    return this.network.ask('postgres', () => void this.tables.fenced(epoch));
  }

  readPages(epoch: LogEpoch, lanes: readonly string[], most: { rows: number; bodyBytes: number }) {
    return this.network.ask('postgres', () => {
      const tables = this.tables.fenced(epoch);
      return new Map(lanes.map((lane) => [lane, pageOf(tables, lane, most)]));
    });
  }

  drainable(log: string, endpointId: string, after: number, limit: number) {
    return this.network.ask('postgres', () =>
      this.tables
        .drainable(log, endpointId)
        .filter(({ place }) => place > after)
        .slice(0, limit)
        .map(({ lane, place }) => ({ lane, place })),
    );
  }
}

/** The product's LaneCommands, over these tables. */
export class SimulatedLaneCommands implements Public<LaneCommands> {
  constructor(
    private readonly tables: LaneTables,
    private readonly network: Network,
  ) {}

  open(logs: readonly string[]): Promise<OpenCommand[]> {
    return this.network.ask('postgres', () =>
      logs.flatMap((log) => this.tables.openCommands(log).map((command) => ({ ...command, log }))),
    );
  }

  ask(log: string, command: LaneCommand): Promise<void> {
    return this.network.ask('postgres', () => this.tables.ask(log, command));
  }
}

function pageOf(tables: LogTables, lane: string, most: { rows: number; bodyBytes: number }): ParkedRecord[] {
  let bytes = 0;
  return tables
    .lowest(lane, most.rows)
    .map(({ work, attempt }) => ({ ...work, attempt }))
    .filter(({ body }) => {
      bytes += body.length;
      return bytes <= Math.max(most.bodyBytes, body.length);
    });
}
