import type { KnownLane, LaneStore, LaneWrite, LogEpoch, ParkedRecord } from '#common/postgres/lane-store.js';
import { RepeatingBatch } from './repeating-batch.js';

const MAX_WRITES = 200;
/** A statement takes several times as much in memory, here and in PostgreSQL. */
const MAX_WRITE_BYTES = 2 * 1_048_576;
const MAX_LOADS = 500;
const MAX_PAGES = 16;
/** The first row of a page may be larger: as large as an event may be. */
const PAGE = { rows: 8, bodyBytes: 64 * 1_024 };

/** The lanes of one owned log in the database, several lanes to a statement. Nothing resolves after the log is lost. */
export class LaneJournal {
  private readonly writes: RepeatingBatch<LaneWrite, void>;
  private readonly loads: RepeatingBatch<string, KnownLane>;
  private readonly pages: RepeatingBatch<string, readonly ParkedRecord[]>;

  /** @param onFenced called when another owner has the log */
  constructor(store: LaneStore, epoch: LogEpoch, ended: AbortSignal, onFenced: () => void) {
    const common = { ended, onFenced };
    this.writes = new RepeatingBatch<LaneWrite, void>({
      ...common,
      name: 'write',
      maxItems: MAX_WRITES,
      bytes: {
        most: MAX_WRITE_BYTES,
        of: ({ park = [] }) => park.reduce((sum, { body }) => sum + body.length, 0),
      },
      run: async (inputs) => {
        await store.write(epoch, inputs);
        return inputs.map(() => undefined);
      },
    });
    this.loads = new RepeatingBatch<string, KnownLane>({
      ...common,
      name: 'load',
      maxItems: MAX_LOADS,
      run: async (lanes) => {
        const byLane = new Map((await store.load(epoch, lanes)).map((known) => [known.lane, known]));
        return lanes.map(
          (lane) => byLane.get(lane) ?? { lane, row: undefined, dueAt: undefined, lowestParked: undefined },
        );
      },
    });
    this.pages = new RepeatingBatch<string, readonly ParkedRecord[]>({
      ...common,
      name: 'pages',
      maxItems: MAX_PAGES,
      run: async (lanes) => {
        const pages = await store.readPages(epoch, lanes, PAGE);
        return lanes.map((lane) => pages.get(lane) ?? []);
      },
    });
  }

  write(write: LaneWrite): Promise<void> {
    return this.writes.add(write);
  }

  load(lane: string): Promise<KnownLane> {
    return this.loads.add(lane);
  }

  /** The lane's lowest parked rows, ascending; none when it has none. */
  readPage(lane: string): Promise<readonly ParkedRecord[]> {
    return this.pages.add(lane);
  }
}
